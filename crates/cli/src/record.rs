//! `infrared record`: one profile, into one file.

mod cgroups;
mod collect;
mod counters;
mod encode;
mod format;
mod output;
mod plan;
mod progress;
mod session;
mod watched;
mod wholeness;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
pub(crate) use format::Format;
use infrared_agent::{Agent, AgentConfig, AgentStats, Pace, Target};
use infrared_processes::spawn_held;

use crate::{
    args::RecordArgs,
    failure::Failure,
    privileges,
    settings::Settings,
    signals,
    terminal::{grouped, harmless},
};
use collect::{Collector, Recorded, Wanted};
use counters::Counters;
use encode::Encoding;
use output::Output;
use plan::{Plan, Subject};
use session::{Event, Parts, Session};
use watched::Watched;
use wholeness::wholeness;

/// Windows of a recording are as long as those of a live view: stacks are sent anew in each.
const WINDOW: std::time::Duration = std::time::Duration::from_secs(10);

pub(crate) fn run(mut args: RecordArgs) -> Result<ExitCode, Failure> {
    let warning = privileges::require()?;
    let settings = Settings::load(args.config.config.as_deref())?;
    args.exclude_self |= settings.exclude_self;
    let plan = Plan::resolve(args).map_err(Failure::Usage)?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let title = format!("infrared: {} at {} Hz", plan.subject_text(), plan.frequency_hz);
    let encoding = Encoding::new(&plan, harmless(&title))?;
    let output = Output::open(&plan.destination, plan.format)?;
    let stats_output = plan.stats.as_deref().map(Output::open_file).transpose()?;
    let collector = Collector::new(Wanted {
        services: plan.services.clone(),
        labels: plan.labels.clone(),
        times: plan.format.has_times(),
        period_ns: 1_000_000_000 / u64::from(plan.frequency_hz),
    });
    let session = start(&plan, &settings, &collector)?;
    let end = session.run(&collector);
    let mut recorded = collector.take();
    report(&plan, &recorded, &end.stats.stacks, &output.name());
    report_losses(&end.stats);
    output.replace(|out| encoding.write(&mut recorded.profile, out))?;
    if let Some(stats_output) = stats_output {
        let counters = Counters::of(&end.stats);
        stats_output.replace(|mut out| {
            serde_json::to_writer_pretty(&mut out, &counters)?;
            out.write_all(b"\n")
        })?;
    }
    end.finish()
}

/// Begins to sample, and only then lets the command run.
fn start(plan: &Plan, settings: &Settings, collector: &Collector) -> Result<Session, Failure> {
    let (watched, held, target) = match &plan.subject {
        Subject::Machine => (Watched::default(), None, Target::Machine),
        Subject::Cgroups(paths) => {
            (Watched::default(), None, Target::Cgroups(cgroups::ids(paths)?))
        }
        Subject::Processes(pids) => (Watched::open(pids)?, None, Target::Processes(pids.clone())),
        Subject::Command(words) => {
            // Before the signals are ours: until it runs its program, the child would share the handlers.
            let held = hold(words)?;
            let target = Target::Command(held.pid().0);
            (Watched::default(), Some(held), target)
        }
    };
    let (sender, events) = std::sync::mpsc::sync_channel(16);
    let at_once = signals::forward(sender.clone(), Event::Signal)?;
    let config = AgentConfig {
        frequency_hz: plan.frequency_hz,
        target,
        exclude_self: plan.exclude_self,
        pace: Pace::Recording { window: WINDOW },
        ..settings.agent()?
    };
    let agent = Agent::start(config, Box::new(collector.clone()))?;
    Session::begin(plan, Parts { agent, watched, held, sender, events, at_once })
}

fn hold(words: &[std::ffi::OsString]) -> anyhow::Result<infrared_processes::HeldChild> {
    let (program, arguments) = words.split_first().context("the command is empty")?;
    let mut command = std::process::Command::new(program);
    command.args(arguments);
    spawn_held(command).with_context(|| format!("cannot start {}", program.display()))
}

/// Says what was lost, a line each.
fn report_losses(stats: &AgentStats) {
    for (name, count) in Counters::of(stats).samples_lost {
        eprintln!("{} samples were lost: {name}", grouped(count));
    }
    for (loss, count) in stats.losses.iter() {
        eprintln!("{} {}", grouped(count), loss.help());
    }
}

/// Says what was recorded, and why if that is nothing.
fn report(plan: &Plan, recorded: &Recorded, user_stacks: &BTreeMap<String, u64>, name: &str) {
    let samples = recorded.profile.total();
    if samples > 0 {
        let seconds = samples as f64 * recorded.profile.period_ns as f64 / 1e9;
        let stacks = grouped(recorded.profile.stacks.len() as u64);
        let samples = grouped(samples);
        eprintln!("{samples} samples ({seconds:.2} s of CPU time) in {stacks} stacks: {name}");
        if let Some(line) = wholeness(user_stacks) {
            eprintln!("{line}");
        }
        return;
    }
    let subject = plan.subject_text();
    if plan.services.is_empty() || recorded.services_seen.is_empty() {
        eprintln!("no samples: {subject} was not seen on a CPU; {name} is empty");
        return;
    }
    let seen: Vec<&str> = recorded.services_seen.iter().map(String::as_str).take(20).collect();
    let seen = harmless(&seen.join(", "));
    eprintln!("no samples of {subject}; {name} is empty. Services that had some: {seen}");
}
