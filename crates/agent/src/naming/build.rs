//! Builds the profiles of a window.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use infrared_bpf::abi::{IR_STOP_COMPLETE, stop_reason_text};
use infrared_processes::host::Clocks;
use infrared_profile::{Builder, LocationId, Profile, Series, StackId, ValueType, labels};

use super::{
    NamingConfig,
    frames::{FrameNamer, WindowNames, thread_name},
};
use crate::window::{ClosedWindow, ProcessRef, SampleKey};

/// How the user stacks of a window ended, in samples.
#[derive(Debug, Default)]
pub(super) struct StackEnds {
    pub(super) by_reason: BTreeMap<&'static str, u64>,
    pub(super) frames: u64,
    pub(super) unnamed_frames: u64,
}

/// The CPU samples of a window.
pub(super) fn cpu_profile(
    window: &ClosedWindow,
    config: &NamingConfig,
    clocks: &Clocks,
    frames: &mut FrameNamer,
) -> (Profile, StackEnds) {
    let start_ns = clocks.unix_ns(window.start_ns);
    let mut builder = Builder::new(ValueType::cpu_samples(), start_ns, config.period_ns);
    let mut names = frames.name_window(window);
    let mut known_series = HashMap::new();
    let mut ends = StackEnds::default();
    let nobody = ProcessRef { jit_id: (0, 0), identity: Arc::default(), mappings: Arc::default() };
    for (key, times) in &window.samples {
        let process = window.processes.get(key.process as usize).unwrap_or(&nobody);
        let stack = stack_of(
            window,
            key,
            process,
            &mut names,
            frames,
            &mut builder,
            &mut ends,
            times.len() as u64,
        );
        let series = *known_series
            .entry((key.process, &key.thread))
            .or_insert_with(|| builder.series(series_of(process, &key.thread, config)));
        // A sample of the last moment of the window before counts at this one's start.
        let inside = |time: &u64| {
            clocks.unix_ns((*time).clamp(window.start_ns, window.end_ns.saturating_sub(1)))
        };
        let times: Vec<u64> = times.iter().map(inside).collect();
        builder.add_times(series, stack, times.len() as u64, &times);
    }
    (builder.finish(window.end_ns - window.start_ns), ends)
}

fn series_of(process: &ProcessRef, thread: &[u8; 16], config: &NamingConfig) -> Series {
    let mut series: Series = (*process.identity).clone();
    series.insert(labels::THREAD_NAME.to_owned(), thread_name(thread));
    series.entry(labels::HOST.to_owned()).or_insert_with(|| config.host_name.clone());
    series
}

#[allow(clippy::too_many_arguments, reason = "the parts of one loop body")]
fn stack_of(
    window: &ClosedWindow,
    key: &SampleKey,
    process: &ProcessRef,
    names: &mut WindowNames,
    frames: &mut FrameNamer,
    builder: &mut Builder,
    ends: &mut StackEnds,
    samples: u64,
) -> StackId {
    let mut locations: Vec<LocationId> = Vec::new();
    if key.kernel_stack != 0 {
        match window.kernel_stack(key.kernel_stack) {
            Some(stack) => {
                locations.extend(frames.kernel_locations(builder, names, &stack.addresses));
            }
            None => locations.push(builder.truncated("kernel stack lost")),
        }
    }
    if key.user_stack != 0 {
        let end = match window.user_stack(key.user_stack) {
            Some(stack) => {
                locations.extend(frames.user_locations(builder, window, names, stack, process));
                stop_reason_text(stack.stop_reason)
            }
            None => "stack lost",
        };
        *ends.by_reason.entry(end).or_default() += samples;
        if end != stop_reason_text(IR_STOP_COMPLETE) {
            locations.push(builder.truncated(end));
        }
    }
    ends.frames += samples * locations.len() as u64;
    let unnamed = |id: &&LocationId| {
        builder.profile().location(**id).is_some_and(|location| location.unnamed)
    };
    ends.unnamed_frames += samples * locations.iter().filter(unnamed).count() as u64;
    builder.stack(&locations)
}

/// The kernel side's counters over the window.
pub(super) fn events_profile(
    window: &ClosedWindow,
    config: &NamingConfig,
    clocks: &Clocks,
) -> Profile {
    let mut builder = Builder::new(ValueType::events(), clocks.unix_ns(window.start_ns), 0);
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
    builder.finish(window.end_ns - window.start_ns)
}
