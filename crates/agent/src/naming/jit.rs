//! Names of code without a file, by the maps that runtimes write.

use std::path::PathBuf;

use infrared_processes::{
    Pid, ProcFs,
    host::{Clocks, clock_ticks_per_second},
    process::start_boottime_ns,
};
use infrared_symbolize::{JitProcess, PerfMap, PerfMapLimits, PerfMaps};

use crate::foreign::open_below;

/// Bytes of all perf maps together; what was used longest ago goes first.
const MAX_BYTES: usize = 32 << 20;
/// Two clocks tell of a process's start and a file's last change, and a file's time is as coarse as a tick.
const CLOCK_SLACK_NS: i64 = 1_000_000_000;

/// Perf maps of processes, by pid and start (`CLOCK_BOOTTIME`, nanoseconds).
#[derive(Debug)]
pub(super) struct JitNames {
    maps: PerfMaps,
    procfs: ProcFs,
    /// From `CLOCK_MONOTONIC` to Unix time, when a map was read last.
    to_unix_ns: i64,
}

/// Where the map of a process is.
struct Place {
    /// The process's root as we see it: `/proc/PID/root`.
    root: PathBuf,
    /// The pid as the process sees itself: the file is named after it.
    namespace_pid: u32,
    /// Unix time in nanoseconds: a file last changed before is an earlier process's.
    since: i64,
}

impl JitNames {
    pub(super) fn new() -> Self {
        let maps = PerfMaps::new(PerfMapLimits::default(), MAX_BYTES);
        Self { maps, procfs: ProcFs::system(), to_unix_ns: Clocks::read().monotonic_to_unix_ns }
    }

    /// Takes in what a process's perf map has got since it was read last.
    pub(super) fn read(&mut self, process: JitProcess) {
        let clocks = Clocks::read();
        self.to_unix_ns = clocks.monotonic_to_unix_ns;
        let Some(Place { root, namespace_pid, since }) = self.place(process, &clocks) else {
            return;
        };
        let map = open_below(&root, &PerfMap::path(namespace_pid));
        let read = map.and_then(|map| self.maps.refresh(process, &map, since));
        if let Err(error) = read {
            tracing::trace!(pid = process.0, %error, "no perf map");
        }
    }

    /// The name at a run-time address at a time (`CLOCK_MONOTONIC`).
    pub(super) fn name(
        &mut self,
        process: JitProcess,
        address: u64,
        time_ns: u64,
    ) -> Option<String> {
        let time = i64::try_from(time_ns).ok()?.saturating_add(self.to_unix_ns);
        self.maps.lookup(process, address, time).map(str::to_owned)
    }

    /// Whether addresses of a process have one name at all times that samples may be of.
    pub(super) fn is_settled(&self, process: JitProcess) -> bool {
        self.maps.is_settled(process)
    }

    /// Lines that a limit kept out, and those that name nothing, since this was asked last.
    pub(super) fn take_losses(&mut self) -> (u64, u64) {
        self.maps.take_losses()
    }

    /// `None` where the pid is another process's by now.
    fn place(&self, (pid, start_ns): JitProcess, clocks: &Clocks) -> Option<Place> {
        let start = i64::try_from(start_ns).ok()?.saturating_add(clocks.boottime_to_monotonic_ns);
        let since =
            start.saturating_add(clocks.monotonic_to_unix_ns).saturating_sub(CLOCK_SLACK_NS);
        let Ok(process) = self.procfs.process(Pid(pid)) else {
            // The map of a process that is gone may still be there, if its root was ours.
            return Some(Place { root: PathBuf::from("/"), namespace_pid: pid, since });
        };
        let ticks_per_second = clock_ticks_per_second();
        let started = start_boottime_ns(process.stat().ok()?.start_ticks, ticks_per_second);
        if start_ns.abs_diff(started) > 1_000_000_000 / ticks_per_second.max(1) {
            return None;
        }
        let namespace_pid = process.status().ok()?.namespace_pids.last().map_or(pid, |pid| pid.0);
        Some(Place { root: PathBuf::from(format!("/proc/{pid}/root")), namespace_pid, since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (pid, start) of this process, and where its map would be.
    fn this_process() -> (JitProcess, PathBuf) {
        let pid = std::process::id();
        let ticks = ProcFs::system().process(Pid(pid)).unwrap().stat().unwrap().start_ticks;
        let start = start_boottime_ns(ticks, clock_ticks_per_second());
        ((pid, start), PathBuf::from(format!("/tmp/perf-{pid}.map")))
    }

    #[test]
    fn a_process_is_named_by_its_own_map_and_not_by_that_of_another_of_its_pid() {
        let ((pid, start), path) = this_process();
        std::fs::write(&path, "1000 10 jitted\n").unwrap();
        let mut names = JitNames::new();
        let another = (pid, start + 5_000_000_000);
        names.read((pid, start));
        names.read(another);
        std::fs::remove_file(&path).unwrap();
        names.read((pid, start));
        assert_eq!(names.name((pid, start), 0x1008, 0).as_deref(), Some("jitted"));
        assert_eq!(names.name(another, 0x1008, 0), None);
    }
}
