//! The perf maps of all processes, within one budget.

use std::fmt;
use std::io;
use std::path::PathBuf;

use lru::LruCache;

use crate::perf_map::{PerfMap, PerfMapLimits};

/// A process with JIT code: its pid as we see it, and its start, in any unit, which tells it from an
/// earlier one of the same pid.
pub type JitProcess = (u32, u64);

/// Where the map of a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerfMapPlace {
    /// The process's root as we see it: `/proc/PID/root`.
    pub root: PathBuf,
    /// The pid as the process sees itself: the file is named after it.
    pub namespace_pid: u32,
    /// Unix time in nanoseconds: a file last changed before is an earlier process's.
    pub since: i64,
}

/// Maps by process, the least recently used going first.
pub struct PerfMaps {
    maps: LruCache<JitProcess, PerfMap>,
    limits: PerfMapLimits,
    max_bytes: usize,
}

impl PerfMaps {
    /// `max_bytes` bounds all maps together, `limits` each one.
    pub fn new(limits: PerfMapLimits, max_bytes: usize) -> Self {
        Self { maps: LruCache::unbounded(), limits, max_bytes }
    }

    /// Takes in what the map of `process` has got since it was read last. What was read stays where the
    /// file cannot be read any more.
    pub fn refresh(&mut self, process: JitProcess, place: &PerfMapPlace) -> io::Result<()> {
        let known = self.maps.pop(&process);
        let mut map = known.unwrap_or_else(|| PerfMap::new(self.limits));
        let read = map.refresh(&place.root, place.namespace_pid, place.since);
        // Most processes have no map.
        if !map.is_empty() {
            self.maps.put(process, map);
        }
        while self.size() > self.max_bytes && self.maps.pop_lru().is_some() {}
        read.map(drop)
    }

    /// The name at a run-time address at a time (Unix time, nanoseconds), see [`PerfMap::lookup_at`].
    pub fn lookup(&mut self, process: JitProcess, address: u64, time: i64) -> Option<&str> {
        self.maps.get(&process)?.lookup_at(address, time)
    }

    /// Whether addresses of a process have one name at all times that are remembered.
    pub fn is_settled(&self, process: JitProcess) -> bool {
        self.maps.peek(&process).is_none_or(PerfMap::is_settled)
    }

    /// Bytes held, about.
    pub fn size(&self) -> usize {
        self.maps.iter().map(|(_, map)| map.size()).sum()
    }

    /// Lines of the maps held that a limit kept out.
    pub fn dropped(&self) -> u64 {
        self.maps.iter().map(|(_, map)| map.dropped()).sum()
    }
}

impl fmt::Debug for PerfMaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerfMaps").field("maps", &self.maps.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_many_processes_stay_within_the_budget() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("tmp")).unwrap();
        let mut maps = PerfMaps::new(PerfMapLimits::default(), 20_000);
        for pid in 1..50 {
            let text: String =
                (0..100).map(|i| ["1", &format!("{i:03}0 10 f\n")].concat()).collect();
            std::fs::write(root.path().join(PerfMap::path(pid).strip_prefix("/").unwrap()), text)
                .unwrap();
            let root = root.path().to_owned();
            let place = PerfMapPlace { root, namespace_pid: pid, since: 0 };
            maps.refresh((pid, 1), &place).unwrap();
            assert_eq!(maps.lookup((pid, 1), 0x10_000, 0), Some("f"));
            assert_eq!(maps.lookup((pid, 1), 0x1, 0), None);
            assert_eq!(maps.lookup((pid, 2), 0x10_000, 0), None);
            assert!(maps.size() <= 20_000 && maps.size() > 0);
        }
        let nowhere = PerfMapPlace { root: "/nowhere".into(), namespace_pid: 99, since: 0 };
        assert!(maps.refresh((99, 1), &nowhere).is_err());
        // A process that is gone keeps the names that it had.
        assert!(maps.refresh((49, 1), &nowhere).is_err());
        assert_eq!(maps.lookup((49, 1), 0x10_000, 0), Some("f"));
    }
}
