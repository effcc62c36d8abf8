//! The run time of BPF programs, by the kernel's own count.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

/// `BPF_PROG_TYPE_PERF_EVENT`
const PERF_EVENT: u64 = 7;
const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// The kernel counts the run time of BPF programs while this lives.
pub(crate) struct Counting {
    before: String,
}

impl Counting {
    pub(crate) fn start() -> Result<Self> {
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
pub(crate) struct RunTime {
    pub(crate) ns: u64,
    pub(crate) count: u64,
}

/// The run time of the `perf_event` programs that `pid` holds, from `/proc/PID/fdinfo` (`bpf_prog_show_fdinfo` of the
/// kernel's kernel/bpf/syscall.c). A tail call counts for the program it started from.
pub(crate) fn sampling_run(pid: u32) -> Result<RunTime> {
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
