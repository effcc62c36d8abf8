//! The perf maps of all processes, within one budget.

use std::fmt;
use std::fs::File;
use std::io;

use lru::LruCache;

use crate::perf_map::{PerfMap, PerfMapLimits};

/// A process with JIT code: its pid as we see it, and its start, in any unit, which tells it from an
/// earlier one of the same pid.
pub type JitProcess = (u32, u64);

/// Maps by process, the least recently used going first.
pub struct PerfMaps {
    maps: LruCache<JitProcess, PerfMap>,
    limits: PerfMapLimits,
    max_bytes: usize,
    /// Lines that a limit kept out, and those that name nothing.
    losses: (u64, u64),
}

impl PerfMaps {
    /// `max_bytes` bounds all maps together, `limits` each one.
    pub fn new(limits: PerfMapLimits, max_bytes: usize) -> Self {
        Self { maps: LruCache::unbounded(), limits, max_bytes, losses: (0, 0) }
    }

    /// Takes in what the map of `process` has got since it was read last: `file`, if it was last changed after `since` (Unix time,
    /// nanoseconds).
    pub fn refresh(&mut self, process: JitProcess, file: &File, since: i64) -> io::Result<()> {
        let known = self.maps.pop(&process);
        let mut map = known.unwrap_or_else(|| PerfMap::new(self.limits));
        let read = map.refresh_file(file, since);
        let (dropped, malformed) = map.take_losses();
        self.losses = (self.losses.0 + dropped, self.losses.1 + malformed);
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

    /// Lines that a limit kept out, and those that name nothing, since this was asked last.
    pub fn take_losses(&mut self) -> (u64, u64) {
        std::mem::take(&mut self.losses)
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
    use crate::debug_file::open_below;

    #[test]
    fn what_was_lost_of_maps_is_told_once_even_of_those_that_are_gone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("map");
        let mut maps = PerfMaps::new(PerfMapLimits { entries: 3, ..PerfMapLimits::default() }, 0);
        for pid in 1..3 {
            std::fs::write(&path, "10 1 a\n20 1 b\nnothing\n30 1 c\n40 1 d\n50 1 e\n").unwrap();
            maps.refresh((pid, 1), &File::open(&path).unwrap(), 0).unwrap();
            assert_eq!(maps.size(), 0, "there is no room");
        }
        assert_eq!(maps.take_losses(), (4, 2));
        assert_eq!(maps.take_losses(), (0, 0));
    }

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
            let map = open_below(root.path(), &PerfMap::path(pid)).unwrap();
            maps.refresh((pid, 1), &map, 0).unwrap();
            assert_eq!(maps.lookup((pid, 1), 0x10_000, 0), Some("f"));
            assert_eq!(maps.lookup((pid, 1), 0x1, 0), None);
            assert_eq!(maps.lookup((pid, 2), 0x10_000, 0), None);
            assert!(maps.size() <= 20_000 && maps.size() > 0);
        }
        assert_eq!(maps.take_losses(), (0, 0));
        // A process whose map is not read any more keeps the names that it had.
        assert_eq!(maps.lookup((49, 1), 0x10_000, 0), Some("f"));
    }
}
