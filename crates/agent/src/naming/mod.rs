//! The naming thread: closed windows in, profiles with names out to the sink. Off the sampling path.

mod build;
mod frames;
mod jit;
mod kernel;
mod losses;
mod modules;
mod programs;
mod queue;
mod runtimes;

use infrared_processes::host::Clocks;
use infrared_profile::Profile;

use crate::{export::ProfileSink, health::Pulse, self_metrics::SharedStats, window::ClosedWindow};

pub(crate) use frames::{FrameNamer, thread_name};
use queue::{Task, TaskReceiver};
pub(crate) use queue::{TaskSender, queue};

/// What stays the same from window to window.
#[derive(Clone, Debug)]
pub(crate) struct NamingConfig {
    pub(crate) period_ns: u64,
    pub(crate) host_name: String,
    pub(crate) symbol_budget_bytes: usize,
}

/// Names and delivers every window until the driver is gone. A window whose naming panics is lost, and counted.
pub(crate) fn run(
    config: &NamingConfig,
    tasks: &TaskReceiver,
    mut sink: Box<dyn ProfileSink>,
    stats: &SharedStats,
    pulse: &Pulse,
) {
    let mut namer = FrameNamer::new(config.symbol_budget_bytes);
    tasks.for_each(|task| {
        let window = match task {
            Task::Window(window) => window,
            Task::ReadPerfMap(process) => {
                // A map that cannot be read has the code go by its addresses.
                pulse.guard("a perf map", || namer.read_perf_map(process)).unwrap_or_default();
                return;
            }
        };
        let samples: u64 = window.all_samples().map(|(_, times)| times.len() as u64).sum();
        let done = pulse.guard("a window", || name(config, &window, &mut namer));
        drop(window);
        let Some((profiles, ends)) = done else {
            // What it had learnt may be damaged.
            namer = FrameNamer::new(config.symbol_budget_bytes);
            stats.update(|stats| *stats.undelivered.entry("naming failed").or_default() += samples);
            return;
        };
        count(samples, &ends, &mut namer, stats);
        pulse.begin();
        if let Err(error) = sink.deliver(profiles) {
            tracing::error!(%error, samples, "a window could not be delivered");
            stats.update(|stats| *stats.undelivered.entry("not delivered").or_default() += samples);
        }
        pulse.rest();
        infrared_processes::memory::return_free_memory();
    });
}

fn name(
    config: &NamingConfig,
    window: &ClosedWindow,
    namer: &mut FrameNamer,
) -> (Vec<Profile>, build::StackEnds) {
    let clocks = Clocks::read();
    let (mut profiles, ends) = build::cpu_profiles(window, config, &clocks, namer);
    profiles.push(build::events_profile(window, config, &clocks));
    (profiles, ends)
}

fn count(samples: u64, ends: &build::StackEnds, namer: &mut FrameNamer, stats: &SharedStats) {
    let losses = namer.take_losses();
    stats.update(|stats| {
        stats.windows += 1;
        stats.samples += samples;
        stats.frames += ends.frames;
        stats.unnamed_frames += ends.unnamed_frames;
        for (reason, samples) in &ends.by_reason {
            *stats.stacks.entry((*reason).to_owned()).or_default() += samples;
        }
        for (loss, count) in losses {
            stats.losses.add(loss, count);
        }
        for warning in namer.warnings() {
            if !stats.warnings.contains(&warning) {
                stats.warnings.push(warning);
            }
        }
    });
}
