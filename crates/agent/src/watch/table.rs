//! All processes that the agent knows of, kept by the side band's events. Pure, but for what callers read into it.

use std::{collections::HashMap, sync::Arc};

use infrared_bpf::{SidebandEvent, SidebandRecord};
use infrared_processes::maps::{Device, Mapping, MappingRef, Permissions};

use super::process::{Generation, WatchedProcess};

/// How long after its exit a process is remembered: samples of it may still be on their way or in a window.
const MEMORY_NS: u64 = 25_000_000_000;
/// Most executable mappings of a process that are followed.
const MAX_MAPPINGS: usize = infrared_bpf::ProcessMaps::MAX_MAPPINGS;

/// Processes by pid.
#[derive(Debug, Default)]
pub(crate) struct ProcessTable {
    processes: HashMap<u32, WatchedProcess>,
    /// Processes whose mappings were cut at the limit.
    pub(crate) cut_mappings: u64,
    /// Events were lost since the last look: everything is to be read again.
    pub(crate) is_stale: bool,
    pub(crate) lost_events: u64,
}

impl ProcessTable {
    pub(crate) fn get(&self, pid: u32) -> Option<&WatchedProcess> {
        self.processes.get(&pid)
    }

    pub(crate) fn get_mut(&mut self, pid: u32) -> Option<&mut WatchedProcess> {
        self.processes.get_mut(&pid)
    }

    /// The process, made with an unknown past if it is new to us.
    pub(crate) fn entry(&mut self, pid: u32) -> &mut WatchedProcess {
        self.processes
            .entry(pid)
            .or_insert_with(|| WatchedProcess::new(Generation::begin(0, false)))
    }

    pub(crate) fn len(&self) -> usize {
        self.processes.len()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut WatchedProcess)> {
        self.processes.iter_mut().map(|(pid, process)| (*pid, process))
    }

    /// Takes one event in.
    pub(crate) fn apply(&mut self, record: SidebandRecord) {
        let time_ns = record.time_ns;
        match record.event {
            SidebandEvent::Fork { pid, parent_pid, tid } if pid == tid && pid != parent_pid => {
                self.fork(pid, parent_pid, time_ns);
            }
            SidebandEvent::Exit { pid, tid } if pid == tid => {
                if let Some(process) = self.processes.get_mut(&pid) {
                    process.exited_ns = Some(time_ns);
                }
            }
            SidebandEvent::Comm { pid, tid, comm, exec } => {
                if exec {
                    self.exec(pid, time_ns);
                }
                if pid == tid {
                    self.entry(pid).comm = comm;
                }
            }
            SidebandEvent::Mmap { pid, start, length, file_offset, device, inode, path } => {
                let mapping = to_mapping(start, length, file_offset, device, inode, &path);
                self.map(pid, mapping);
            }
            SidebandEvent::Lost { count } => {
                self.lost_events += count;
                self.is_stale = true;
            }
            SidebandEvent::Fork { .. } | SidebandEvent::Exit { .. } => {}
        }
    }

    /// The child has a copy of the parent's address space.
    fn fork(&mut self, pid: u32, parent: u32, time_ns: u64) {
        let (mut generation, comm) = match self.processes.get(&parent) {
            Some(process) => (process.current().clone(), process.comm.clone()),
            None => (Generation::begin(0, false), String::new()),
        };
        // The child is another process: its pid, and perhaps its cgroup, differ.
        generation.identity = None;
        generation.since_ns = time_ns;
        let mut child = WatchedProcess::new(generation);
        child.comm = comm;
        child.parent = parent;
        let is_known = |known: &WatchedProcess| {
            known.current().since_ns > time_ns && known.exited_ns.is_none()
        };
        if !self.processes.get(&pid).is_some_and(is_known) {
            self.processes.insert(pid, child);
        }
    }

    /// The address space is new and empty; what is mapped from here on, events tell.
    fn exec(&mut self, pid: u32, time_ns: u64) {
        let process = self.entry(pid);
        process.generations.push(Generation::begin(time_ns, true));
        process.is_dirty = true;
    }

    fn map(&mut self, pid: u32, mapping: Mapping) {
        let process = self.entry(pid);
        let generation = process.current_mut();
        if generation.executable.is_none() && mapping.is_file() {
            generation.executable = Some(mapping.name.clone());
        }
        if generation.mappings.len() >= MAX_MAPPINGS {
            self.cut_mappings += 1;
            return;
        }
        Arc::make_mut(&mut generation.mappings).insert(mapping);
        process.is_dirty = true;
    }

    /// Forgets processes that ended long ago, and address spaces that were left long ago. Returns the pids forgotten.
    pub(crate) fn forget(&mut self, now_ns: u64) -> Vec<u32> {
        let horizon = now_ns.saturating_sub(MEMORY_NS);
        let mut forgotten = Vec::new();
        self.processes.retain(|pid, process| {
            let keep = process.exited_ns.is_none_or(|exited| exited > horizon);
            if !keep {
                forgotten.push(*pid);
            }
            keep
        });
        for process in self.processes.values_mut() {
            let left =
                process.generations.partition_point(|g| g.since_ns <= horizon).saturating_sub(1);
            process.generations.drain(..left);
        }
        forgotten
    }
}

fn to_mapping(
    start: u64,
    length: u64,
    file_offset: u64,
    device: (u32, u32),
    inode: u64,
    path: &[u8],
) -> Mapping {
    let raw_name = if path == b"//anon" { &[][..] } else { path };
    MappingRef {
        start,
        end: start.saturating_add(length),
        permissions: Permissions { flags: *b"r-xp" },
        file_offset,
        device: Device { major: device.0, minor: device.1 },
        inode,
        raw_name,
    }
    .to_mapping()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mmap(pid: u32, start: u64, path: &str) -> SidebandEvent {
        let path = path.as_bytes().to_vec();
        SidebandEvent::Mmap {
            pid,
            start,
            length: 0x1000,
            file_offset: 0,
            device: (8, 1),
            inode: 5,
            path,
        }
    }

    fn table(events: Vec<SidebandEvent>) -> ProcessTable {
        let mut table = ProcessTable::default();
        for (time, event) in events.into_iter().enumerate() {
            table.apply(SidebandRecord { time_ns: time as u64 + 1, event });
        }
        table
    }

    fn exec(pid: u32) -> SidebandEvent {
        SidebandEvent::Comm { pid, tid: pid, comm: "new".into(), exec: true }
    }

    #[test]
    fn a_child_has_its_parents_mappings_until_it_execs() {
        let fork = SidebandEvent::Fork { pid: 2, tid: 2, parent_pid: 1 };
        let table = table(vec![
            exec(1),
            mmap(1, 0x1000, "/bin/sh"),
            fork,
            exec(2),
            mmap(2, 0x5000, "/bin/gzip"),
        ]);
        let child = table.get(2).unwrap();
        assert_eq!(child.generations.len(), 2);
        let at_fork = &child.generations[child.generation_at(3)];
        assert!(at_fork.mappings.find(0x1000).is_some() && at_fork.is_complete);
        let now = child.current();
        assert!(now.mappings.find(0x1000).is_none() && now.mappings.find(0x5000).is_some());
        assert_eq!(now.executable.as_deref(), Some(&b"/bin/gzip"[..]));
        assert_eq!((child.comm.as_str(), child.parent), ("new", 1));
    }

    #[test]
    fn a_process_from_before_us_is_incomplete() {
        let table = table(vec![mmap(7, 0x1000, "/lib/late.so")]);
        assert!(!table.get(7).unwrap().current().is_complete);
    }

    #[test]
    fn a_process_is_forgotten_some_time_after_its_exit() {
        let mut table = table(vec![exec(1), SidebandEvent::Exit { pid: 1, tid: 9 }]);
        assert!(table.forget(2 * MEMORY_NS).is_empty(), "a thread's exit is not the process's");
        table.apply(SidebandRecord { time_ns: 100, event: SidebandEvent::Exit { pid: 1, tid: 1 } });
        assert!(table.forget(MEMORY_NS).is_empty());
        assert_eq!(table.forget(MEMORY_NS + 200), vec![1]);
        assert!(table.get(1).is_none());
    }

    #[test]
    fn lost_events_make_the_table_stale() {
        let table = table(vec![SidebandEvent::Lost { count: 3 }]);
        assert!(table.is_stale && table.lost_events == 3);
    }
}
