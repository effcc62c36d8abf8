//! The naming thread: closed windows in, profiles with names out to the sink. Off the sampling path.

mod build;
mod frames;
mod jit;
mod kernel;
mod queue;

use infrared_processes::host::Clocks;
use infrared_profile::Profile;

use crate::{export::ProfileSink, self_metrics::SharedStats};

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

/// Names and delivers every window until the driver is gone.
pub(crate) fn run(
    config: &NamingConfig,
    tasks: &TaskReceiver,
    mut sink: Box<dyn ProfileSink>,
    stats: &SharedStats,
) {
    let mut namer = FrameNamer::new(config.symbol_budget_bytes);
    tasks.for_each(|task| {
        let window = match task {
            Task::Window(window) => window,
            Task::ReadPerfMap(process) => return namer.read_perf_map(process),
        };
        let clocks = Clocks::read();
        let (cpu, ends) = build::cpu_profile(&window, config, &clocks, &mut namer);
        let events = build::events_profile(&window, config, &clocks);
        count(&cpu, &ends, &namer, stats);
        let samples = cpu.total();
        drop(window);
        if let Err(error) = sink.deliver(vec![cpu, events]) {
            tracing::error!(%error, samples, "a window could not be delivered");
            stats.update(|stats| *stats.undelivered.entry("not delivered").or_default() += samples);
        }
        infrared_processes::memory::return_free_memory();
    });
}

fn count(cpu: &Profile, ends: &build::StackEnds, namer: &FrameNamer, stats: &SharedStats) {
    stats.update(|stats| {
        stats.windows += 1;
        stats.samples += cpu.total();
        stats.frames += ends.frames;
        stats.unnamed_frames += ends.unnamed_frames;
        for (reason, samples) in &ends.by_reason {
            *stats.stacks.entry((*reason).to_owned()).or_default() += samples;
        }
        for warning in namer.warnings() {
            if !stats.warnings.contains(&warning) {
                stats.warnings.push(warning);
            }
        }
    });
}
