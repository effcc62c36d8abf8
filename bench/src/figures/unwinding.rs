//! What a frame costs in the kernel: the run time of the sampling programs by the kernel's own count, divided by the
//! frames. It bears the whole program, kernel stack and record included: the unwinding alone is less.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Machine, Recording, Request, Target, built};

use crate::paired::quantile;
use crate::report::Row;
use crate::run_time::{Counting, sampling_run};

const HZ: u32 = 99;
/// Of several rounds the middle one counts: neighbours on the machine take its caches now and then.
const ROUNDS: usize = 7;
const TIME: Duration = Duration::from_secs(5);
/// Of the program that is unwound: how deep it calls.
pub(super) const ARGUMENTS: [&str; 6] = ["--threads", "2", "--min-depth", "16", "--depth", "56"];

pub(crate) fn measure() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let _counting = Counting::start()?;
    let rounds = (0..ROUNDS).map(|_| round()).collect::<Result<Vec<_>>>()?;
    let middle = |value: fn(&Round) -> f64| {
        quantile(rounds.iter().map(value).collect(), 0.5).context("there are rounds")
    };
    let per_frame = middle(Round::ns_per_frame)?;
    let least = rounds.iter().map(Round::ns_per_frame).fold(f64::INFINITY, f64::min);
    let most = rounds.iter().map(Round::ns_per_frame).fold(0.0, f64::max);
    Ok(vec![
        Row::new(
            "BPF run time per frame, 20 to 60 deep",
            format!(
                "{per_frame:.0} ns (median of {ROUNDS}: {least:.0} to {most:.0}; mean depth {:.0})",
                middle(|round| round.frames / round.samples)?
            ),
        )
        .against("≤ 250 ns", per_frame <= 250.0),
        Row::new(
            "BPF run time per run of the sampling programs",
            format!("{:.1} µs", middle(|round| round.ns / round.runs / 1000.0)?),
        ),
    ])
}

/// Totals of one round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    ns: f64,
    runs: f64,
    frames: f64,
    samples: f64,
}

impl Round {
    pub(super) fn ns_per_frame(&self) -> f64 {
        self.ns / self.frames
    }
}

pub(super) fn round() -> Result<Round> {
    let mut command = Command::new(built("shares-c")?);
    command.args(ARGUMENTS);
    let mut target = Target::start(command)?;
    // The whole machine, as `infrared up` has it; the program fills it.
    let mut recording = Recording::start(Request { pids: vec![], hz: HZ })?;
    target.release()?;
    recording.go_on_for(TIME)?;
    let run = sampling_run(recording.pid())?;
    let stats = recording.finish()?.stats;
    target.stop()?;
    ensure!(stats.frames > 0 && run.count > 0, "nothing was unwound: {stats:?}, {run:?}");
    Ok(Round {
        ns: run.ns as f64,
        runs: run.count as f64,
        frames: stats.frames as f64,
        samples: stats.samples_taken as f64,
    })
}
