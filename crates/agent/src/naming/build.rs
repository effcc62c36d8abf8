//! Builds the profiles of a window.

use std::collections::{BTreeMap, HashMap};

use infrared_bpf::UserStack;
use infrared_bpf::abi::{IR_FRAME_LOW_CONFIDENCE, IR_STOP_COMPLETE, stop_reason_text};
use infrared_processes::host::Clocks;
use infrared_profile::{Builder, LocationId, Profile, Series, StackId, ValueType, labels};

use super::{
    NamingConfig,
    frames::{FrameNamer, WindowNames, thread_name},
};
use crate::window::{ClosedWindow, ProcessRef, SampleKey, Samples, Span};

/// How stacks end that reach their thread's entry, and have a guess on the way.
const GUESSED: &str = "guessed";

/// How the user stacks of a window ended, in samples.
#[derive(Debug, Default)]
pub(super) struct StackEnds {
    pub(super) by_reason: BTreeMap<&'static str, u64>,
    pub(super) frames: u64,
    pub(super) unnamed_frames: u64,
}

/// The CPU samples of a window: a profile of its own time, and one of each window before of which samples had to wait.
pub(super) fn cpu_profiles(
    window: &ClosedWindow,
    config: &NamingConfig,
    clocks: &Clocks,
    frames: &mut FrameNamer,
) -> (Vec<Profile>, StackEnds) {
    let mut ends = StackEnds::default();
    let mut names = Some(frames.name_window(window));
    let mut profiles = Vec::new();
    let late = window.late.iter().map(|(span, samples)| (*span, samples));
    for (span, samples) in [(window.span, &window.samples)].into_iter().chain(late) {
        let builder =
            Builder::new(ValueType::cpu_samples(), clocks.unix_ns(span.start_ns), config.period_ns);
        let mut part = Part {
            window,
            span,
            config,
            names: names.take().unwrap_or_default(),
            builder,
            ends: &mut ends,
        };
        part.add(samples, clocks, frames);
        let (profile, known) = part.finish();
        names = Some(known);
        profiles.push(profile);
    }
    (profiles, ends)
}

/// A profile in the making.
struct Part<'a> {
    window: &'a ClosedWindow,
    span: Span,
    config: &'a NamingConfig,
    names: WindowNames,
    builder: Builder,
    ends: &'a mut StackEnds,
}

impl Part<'_> {
    fn add(&mut self, samples: &Samples, clocks: &Clocks, frames: &mut FrameNamer) {
        let mut known_series = HashMap::new();
        for (key, times) in samples {
            let Some(process) = self.window.processes.get(key.process as usize) else { continue };
            let series = *known_series.entry((key.process, &key.thread)).or_insert_with(|| {
                self.builder.series(series_of(process, &key.thread, self.config))
            });
            // What is a little out of its window counts at its edge.
            let (first, last) = (self.span.start_ns, self.span.end_ns.saturating_sub(1));
            let inside = |time: &u64| clocks.unix_ns((*time).min(last).max(first));
            let window = self.window;
            let stays = |a: &u64, b: &u64| frames.is_same_code(window, (key, process), (*a, *b));
            let turns: Vec<&[u64]> = times.chunk_by(stays).collect();
            for turn in turns {
                let stack = self.stack_of(key, process, frames, turn);
                let times: Vec<u64> = turn.iter().map(inside).collect();
                self.builder.add_times(series, stack, times.len() as u64, &times);
            }
        }
    }

    fn stack_of(
        &mut self,
        key: &SampleKey,
        process: &ProcessRef,
        frames: &mut FrameNamer,
        times: &[u64],
    ) -> StackId {
        let samples = times.len() as u64;
        let first_ns = times.first().copied().unwrap_or(0);
        let (window, builder) = (self.window, &mut self.builder);
        let mut locations: Vec<LocationId> = Vec::new();
        if key.kernel_stack != 0 {
            match window.kernel_stack(key.kernel_stack) {
                Some(stack) => {
                    let addresses = &stack.addresses;
                    let names = &mut self.names;
                    locations.extend(frames.kernel_locations(builder, names, addresses, first_ns));
                }
                None => locations.push(builder.truncated("kernel stack lost")),
            }
        }
        if key.user_stack != 0 {
            let (end, is_whole) = match window.user_stack(key.user_stack) {
                Some(stack) => {
                    let names = &mut self.names;
                    let whose = (stack, process);
                    locations
                        .extend(frames.user_locations(builder, window, names, whose, first_ns));
                    (end_of(stack), stack.stop_reason == IR_STOP_COMPLETE)
                }
                None => ("stack lost", false),
            };
            *self.ends.by_reason.entry(end).or_default() += samples;
            if !is_whole {
                locations.push(builder.truncated(end));
            }
        }
        self.ends.frames += samples * locations.len() as u64;
        let unnamed = |id: &&LocationId| {
            builder.profile().location(**id).is_some_and(|location| location.unnamed)
        };
        self.ends.unnamed_frames += samples * locations.iter().filter(unnamed).count() as u64;
        builder.stack(&locations)
    }

    /// The profile, and the names without the places that they have in it.
    fn finish(self) -> (Profile, WindowNames) {
        let duration_ns = self.span.end_ns - self.span.start_ns;
        (self.builder.finish(duration_ns), self.names.without_places())
    }
}

/// How a stack ends. One that reaches its thread's entry by a guess is not known to be right.
fn end_of(stack: &UserStack) -> &'static str {
    let has_guess = stack.frames.iter().any(|frame| frame.has(IR_FRAME_LOW_CONFIDENCE));
    if stack.stop_reason == IR_STOP_COMPLETE && has_guess {
        return GUESSED;
    }
    stop_reason_text(stack.stop_reason)
}

fn series_of(process: &ProcessRef, thread: &[u8; 16], config: &NamingConfig) -> Series {
    let mut series: Series = process.identity.as_deref().cloned().unwrap_or_default();
    series.insert(labels::THREAD_NAME.to_owned(), thread_name(thread));
    series.entry(labels::HOST.to_owned()).or_insert_with(|| config.host_name.clone());
    series
}

/// The kernel side's counters over the window.
pub(super) fn events_profile(
    window: &ClosedWindow,
    config: &NamingConfig,
    clocks: &Clocks,
) -> Profile {
    let mut builder = Builder::new(ValueType::events(), clocks.unix_ns(window.span.start_ns), 0);
    let series = Series::from([
        (labels::SERVICE.to_owned(), "infrared".to_owned()),
        (labels::HOST.to_owned(), config.host_name.clone()),
        (labels::SELF.to_owned(), "true".to_owned()),
    ]);
    let series = builder.series(series);
    for (name, value) in window.counters.iter().filter(|(_, value)| *value > 0) {
        let location = builder.event(name);
        let stack = builder.stack(&[location]);
        builder.add(series, stack, *value);
    }
    builder.finish(window.span.end_ns - window.span.start_ns)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use infrared_bpf::KernelStack;
    use infrared_bpf::abi::{IR_STOP_MAX_FRAMES, ir_frame};
    use infrared_profile::folded::Unit;

    use super::*;
    use crate::{
        watch::{Origin, Space, SpaceId},
        window::{KernelSymbol, Seen, Window},
    };

    /// Below the kernel's own text and above all programs of this machine.
    const PROGRAM: u64 = 0xffff_ffff_0000_0000;

    #[test]
    fn a_stack_with_a_guess_is_not_complete() {
        let stack = |stop_reason, flags: &[u32]| UserStack {
            hash: 1,
            stop_reason,
            pid: 0,
            frames: flags.iter().map(|flags| ir_frame::native(0, 0, *flags)).collect(),
        };
        for (stop_reason, flags, end) in [
            (IR_STOP_COMPLETE, &[0, 1][..], "complete"),
            (IR_STOP_COMPLETE, &[0, 3, 1], "guessed"),
            (IR_STOP_MAX_FRAMES, &[0, 3, 1], "max frames"),
        ] {
            assert_eq!(end_of(&stack(stop_reason, flags)), end);
        }
    }

    #[test]
    fn one_address_that_two_programs_take_turns_at_has_the_name_of_each_in_one_window() {
        let mut window = Window::open(1_000);
        let symbol = |time_ns, name: &str, is_gone| KernelSymbol {
            time_ns,
            address: PROGRAM,
            length: 0x100,
            name: name.to_owned(),
            is_gone,
        };
        for (from_ns, name) in [(1_000, "alpha"), (2_000, "beta"), (3_000, "alpha")] {
            window.add_kernel_symbol(symbol(from_ns, name, false));
            window.add_kernel_symbol(symbol(from_ns + 900, name, true));
        }
        let space = Space::begin(SpaceId(1), Origin::Exec, 0);
        let process = window.process(5, &space, Seen::default());
        let addresses = vec![PROGRAM + 0x10];
        window.add_kernel_stack(Arc::new(KernelStack { hash: 7, addresses }));
        let key = SampleKey { process, thread: [0; 16], user_stack: 0, kernel_stack: 7 };
        for time_ns in [1_100, 1_200, 2_100, 3_100, 3_200, 3_300] {
            window.add(key.clone(), time_ns);
        }
        let config = NamingConfig {
            period_ns: Duration::from_millis(10).as_nanos() as u64,
            host_name: String::new(),
            symbol_budget_bytes: 1 << 20,
        };
        let (profiles, _) = cpu_profiles(
            &window.close(4_000),
            &config,
            &Clocks::read(),
            &mut FrameNamer::new(1 << 20),
        );
        let mut folded = Vec::new();
        infrared_profile::folded::write(&profiles[0], Unit::Samples, &[], &mut folded).unwrap();
        let folded = String::from_utf8(folded).unwrap();
        let counts = |name: &str| -> u64 {
            let of_name = folded.lines().filter(|line| line.contains(name));
            of_name.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        assert_eq!((counts("alpha"), counts("beta")), (5, 1), "{folded}");
    }
}
