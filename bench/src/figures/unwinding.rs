//! What a frame costs in the kernel: the run time of the sampling programs by the kernel's own count, divided by the
//! frames. It bears the whole program, kernel stack and record included: the unwinding alone is less.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Machine, Recording, Request, Target, built};

use crate::paired::quantile;
use crate::report::Row;

const HZ: u32 = 99;
/// Of several rounds the middle one counts: neighbours on the machine take its caches now and then.
const ROUNDS: usize = 7;
const TIME: Duration = Duration::from_secs(5);
/// `BPF_PROG_TYPE_PERF_EVENT`
const PERF_EVENT: u64 = 7;
const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

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
struct Round {
    ns: f64,
    runs: f64,
    frames: f64,
    samples: f64,
}

impl Round {
    fn ns_per_frame(&self) -> f64 {
        self.ns / self.frames
    }
}

fn round() -> Result<Round> {
    let mut command = Command::new(built("shares-c")?);
    command.args(["--threads", "2", "--min-depth", "16", "--depth", "56"]);
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

/// The kernel counts the run time of BPF programs while this lives.
struct Counting {
    before: String,
}

impl Counting {
    fn start() -> Result<Self> {
        let path = Path::new(SWITCH);
        let before =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {SWITCH}"))?;
        std::fs::write(path, "1").with_context(|| format!("cannot write {SWITCH}"))?;
        Ok(Self { before })
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if let Err(error) = std::fs::write(SWITCH, self.before.trim()) {
            eprintln!("{SWITCH} could not be put back: {error}");
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RunTime {
    ns: u64,
    count: u64,
}

/// The run time of the `perf_event` programs that `pid` holds, from `/proc/PID/fdinfo` (`bpf_prog_show_fdinfo` of the
/// kernel's kernel/bpf/syscall.c). A tail call counts for the program it started from.
fn sampling_run(pid: u32) -> Result<RunTime> {
    let mut programs = BTreeMap::new();
    let folder = format!("/proc/{pid}/fdinfo");
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        // A descriptor may be closed between the two reads.
        let text = std::fs::read_to_string(entry?.path()).unwrap_or_default();
        if let Some((id, run)) = perf_event_program(&text) {
            programs.insert(id, run);
        }
    }
    let sum =
        |sum: RunTime, run: &RunTime| RunTime { ns: sum.ns + run.ns, count: sum.count + run.count };
    Ok(programs.values().fold(RunTime::default(), sum))
}

/// Id and run time, if a descriptor is a program of type `BPF_PROG_TYPE_PERF_EVENT` (uapi linux/bpf.h).
fn perf_event_program(fdinfo: &str) -> Option<(u64, RunTime)> {
    let field = |name: &str| {
        let line = fdinfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line?.trim().parse::<u64>().ok()
    };
    (field("prog_type")? == PERF_EVENT).then_some(())?;
    Some((field("prog_id")?, RunTime { ns: field("run_time_ns")?, count: field("run_cnt")? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_perf_event_programs_are_counted() {
        let fdinfo = |kind: u32| {
            format!("pos:\t0\nprog_type:\t{kind}\nprog_id:\t41\nrun_time_ns:\t9000\nrun_cnt:\t3\n")
        };
        assert_eq!(perf_event_program(&fdinfo(7)), Some((41, RunTime { ns: 9000, count: 3 })));
        assert_eq!(perf_event_program(&fdinfo(26)), None);
        assert_eq!(perf_event_program("pos:\t0\nflags:\t02\n"), None);
    }
}
