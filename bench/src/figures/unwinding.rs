//! What a frame costs in the kernel: the run time of the sampling programs by the kernel's own count, divided by the
//! frames. It bears the whole program, kernel stack and record included: the unwinding alone is less.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Machine, Recording, Request, Target, built};

use crate::report::Row;

const HZ: u32 = 99;
const TIME: Duration = Duration::from_secs(15);
const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

pub(crate) fn measure() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let _counting = Counting::start()?;
    let mut command = Command::new(built("shares-c")?);
    command.args(["--threads", "2", "--min-depth", "16", "--depth", "56"]);
    let mut target = Target::start(command)?;
    let mut recording = Recording::start(Request { pids: vec![target.pid()], hz: HZ })?;
    target.release()?;
    recording.go_on_for(TIME)?;
    let run = sampling_run(recording.pid())?;
    let stats = recording.finish()?.stats;
    target.stop()?;
    ensure!(stats.frames > 0 && run.count > 0, "nothing was unwound: {stats:?}, {run:?}");
    let per_frame = run.ns as f64 / stats.frames as f64;
    let per_sample = run.ns as f64 / run.count as f64;
    let depth = stats.frames as f64 / stats.samples_taken.max(1) as f64;
    Ok(vec![
        Row::new(
            "BPF run time per frame, 20 to 60 deep",
            format!("{per_frame:.0} ns (mean depth {depth:.0})"),
        )
        .against("≤ 250 ns", per_frame <= 250.0),
        Row::new(
            "BPF run time per run of the sampling programs",
            format!("{:.1} µs", per_sample / 1000.0),
        ),
    ])
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

#[derive(Clone, Copy, Debug, Default)]
struct RunTime {
    ns: u64,
    count: u64,
}

#[derive(serde::Deserialize)]
struct Program {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    run_time_ns: u64,
    #[serde(default)]
    run_cnt: u64,
    #[serde(default)]
    pids: Vec<Holder>,
}

#[derive(serde::Deserialize)]
struct Holder {
    pid: u32,
}

/// The run time of the `perf_event` programs that `pid` holds. A tail call counts for the program it started from.
fn sampling_run(pid: u32) -> Result<RunTime> {
    let output = Command::new("bpftool").args(["prog", "show", "-j"]).output();
    let output = output.context("cannot run bpftool")?;
    let programs: Vec<Program> =
        serde_json::from_slice(&output.stdout).context("bpftool's answer is not understood")?;
    let ours = programs.iter().filter(|program| {
        program.kind == "perf_event" && program.pids.iter().any(|holder| holder.pid == pid)
    });
    Ok(ours.fold(RunTime::default(), |sum, program| RunTime {
        ns: sum.ns + program.run_time_ns,
        count: sum.count + program.run_cnt,
    }))
}
