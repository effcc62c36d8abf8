//! The perf maps of all processes, within one budget.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use lru::LruCache;

use crate::line::{Line, Symbolized};
use crate::perf_map::{PerfMap, PerfMapLimits};

/// A process with JIT code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JitProcess {
    /// As we see it.
    pub pid: u32,
    /// Tells a process from an earlier one of the same pid; in any unit.
    pub start_time: u64,
    /// As it sees itself: the file is named after it.
    pub namespace_pid: u32,
    /// Its root as we see it: `/proc/PID/root`.
    pub root: PathBuf,
}

/// Maps by process, the least recently used going first.
pub struct PerfMaps {
    maps: LruCache<(u32, u64), PerfMap>,
    limits: PerfMapLimits,
    max_bytes: usize,
}

impl PerfMaps {
    /// `max_bytes` bounds all maps together, `limits` each one.
    pub fn new(limits: PerfMapLimits, max_bytes: usize) -> Self {
        Self { maps: LruCache::unbounded(), limits, max_bytes }
    }

    /// Names run-time addresses; none where the map has nothing. The file is read on when an address is
    /// not in what was read before, once for all of them.
    pub fn symbolize(
        &mut self,
        process: &JitProcess,
        addresses: &[u64],
    ) -> Vec<Option<Symbolized>> {
        let key = (process.pid, process.start_time);
        let known = self.maps.pop(&key);
        let mut map = known.unwrap_or_else(|| PerfMap::new(self.limits));
        if addresses.iter().any(|a| map.lookup(*a).is_none()) {
            // Most processes have no map; what cannot be read names nothing.
            let _unread = map.refresh(&process.root, process.namespace_pid).is_err();
        }
        let named = addresses.iter().map(|a| map.lookup(*a).map(named)).collect();
        if !map.is_empty() {
            self.maps.put(key, map);
        }
        while self.size() > self.max_bytes && self.maps.pop_lru().is_some() {}
        named
    }

    /// Forgets a process that is gone.
    pub fn forget(&mut self, pid: u32, start_time: u64) {
        self.maps.pop(&(pid, start_time));
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

fn named(name: &str) -> Symbolized {
    let name: Arc<str> = name.into();
    let (function, system_name) = (Arc::clone(&name), name);
    let line = Line { function, system_name, file: "".into(), line: 0 };
    Symbolized { lines: [line].into(), unnamed: false }
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
            let process = JitProcess { pid, start_time: 1, namespace_pid: pid, root };
            let named = maps.symbolize(&process, &[0x10_000, 0x1]);
            assert_eq!(named[0].as_ref().map(|s| &*s.lines[0].function), Some("f"));
            assert!(named[1].is_none() && maps.size() <= 20_000 && maps.size() > 0);
        }
        let none =
            JitProcess { pid: 99, start_time: 1, namespace_pid: 99, root: "/nowhere".into() };
        assert_eq!(maps.symbolize(&none, &[1]), [None]);
    }
}
