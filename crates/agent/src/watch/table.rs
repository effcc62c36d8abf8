//! All processes that the agent knows of, kept by the side band's events and by what is read of `/proc`. Pure.
//!
//! A pid is used again, so under each there are lives, told apart by when they began and ended.

use std::collections::{HashMap, HashSet};

use infrared_bpf::{SidebandEvent, SidebandRecord};
use infrared_processes::maps::{Device, Mapping, MappingRef, Permissions};

use super::{
    process::WatchedProcess,
    space::{Origin, Space, SpaceId},
};

/// How long an address space is remembered that was left: its samples may wait that long to be unwound.
const MEMORY_NS: u64 = super::process::MEMORY_NS;
/// Processes that have ended and are remembered at most; of more, those that ended first are forgotten.
const MAX_ENDED: usize = 8192;
/// Most executable mappings of a process that are followed.
pub(crate) const MAX_MAPPINGS: usize = infrared_bpf::ProcessMaps::MAX_MAPPINGS;

/// Processes by pid, and by their lives under it, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ProcessTable {
    lives: HashMap<u32, Vec<WatchedProcess>>,
    count: usize,
    next_space: u64,
    /// Address spaces that were forgotten since the last look: a window may refer to them.
    forgotten: Vec<(u32, Space)>,
    /// Processes of which something was lost since the last look.
    doubted: Vec<u32>,
    /// Address spaces that were forgotten before their time.
    pub(crate) forgotten_early: u64,
    /// Mappings beyond the limit of a process.
    pub(crate) cut_mappings: u64,
    pub(crate) lost_events: u64,
}

/// Whose sample it is, as the sample tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    /// `CLOCK_BOOTTIME` of the process's start.
    pub(crate) start_time_ns: u64,
    /// `CLOCK_MONOTONIC` of the sample.
    pub(crate) time_ns: u64,
}

impl ProcessTable {
    /// The process that has a pid now, or had it last.
    pub(crate) fn get(&self, pid: u32) -> Option<&WatchedProcess> {
        self.lives.get(&pid)?.last()
    }

    pub(crate) fn get_mut(&mut self, pid: u32) -> Option<&mut WatchedProcess> {
        self.lives.get_mut(&pid)?.last_mut()
    }

    /// The same, made with an unknown past if it is new to us.
    pub(crate) fn entry(&mut self, pid: u32) -> &mut WatchedProcess {
        if self.get(pid).is_none() {
            let space = self.begin(Origin::BeforeUs, 0);
            self.add(pid, WatchedProcess::new(space));
        }
        self.get_mut(pid).unwrap_or_else(|| unreachable!("it was just added"))
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut WatchedProcess)> {
        self.lives.iter_mut().flat_map(|(pid, lives)| lives.iter_mut().map(|life| (*pid, life)))
    }

    /// The process that has this address space, or had it.
    pub(crate) fn of_space(&mut self, pid: u32, space: SpaceId) -> Option<&mut WatchedProcess> {
        self.lives.get_mut(&pid)?.iter_mut().find(|life| life.space(space).is_some())
    }

    /// The same, to look at.
    pub(crate) fn with_space(&self, pid: u32, space: SpaceId) -> Option<&WatchedProcess> {
        self.lives.get(&pid)?.iter().find(|life| life.space(space).is_some())
    }

    pub(crate) fn space(&self, pid: u32, space: SpaceId) -> Option<&Space> {
        self.lives.get(&pid)?.iter().find_map(|life| life.space(space))
    }

    /// The process that a sample is of: by its start, or where that is not known yet, by when it lived. One whose fork
    /// was lost is made, with an unknown past.
    pub(crate) fn sighted(&mut self, sighting: &Sighting) -> &mut WatchedProcess {
        let Sighting { pid, start_time_ns, time_ns, .. } = *sighting;
        let is_it = |life: &WatchedProcess| {
            let is_said = start_time_ns != 0 && life.start_time_ns != 0;
            if is_said { life.start_time_ns == start_time_ns } else { life.lived_at(time_ns) }
        };
        let lives = self.lives.get(&pid).map(Vec::as_slice).unwrap_or_default();
        let found = lives.iter().rposition(is_it).or_else(|| {
            // Its main thread has ended, and others work on.
            let is_open = |life: &WatchedProcess| life.start_time_ns == 0 || start_time_ns == 0;
            lives.iter().rposition(|life| is_open(life) && life.born_ns <= time_ns)
        });
        let index = match found {
            Some(index) => index,
            None => self.make(sighting),
        };
        let life = self.lives.get_mut(&pid).and_then(|lives| lives.get_mut(index));
        let life = life.unwrap_or_else(|| unreachable!("it was found or made"));
        if start_time_ns != 0 {
            life.start_time_ns = start_time_ns;
        }
        if sighting.tid != pid && life.exited_ns.is_some_and(|exited| exited < time_ns) {
            life.lives_on();
        }
        life.last_sample_ns = life.last_sample_ns.max(time_ns);
        life.space_at_mut(time_ns).last_sample_ns = time_ns;
        life
    }

    /// Adds a process whose fork was lost, in order of the starts of those that had its pid. Returns where it is.
    fn make(&mut self, sighting: &Sighting) -> usize {
        let lives = self.lives.get(&sighting.pid).map(Vec::as_slice).unwrap_or_default();
        let at = lives.partition_point(|life| life.start_time_ns < sighting.start_time_ns);
        let since_ns = if at == 0 { 0 } else { sighting.time_ns };
        let space = self.begin(Origin::BeforeUs, since_ns);
        self.count += 1;
        self.lives.entry(sighting.pid).or_default().insert(at, WatchedProcess::new(space));
        at
    }

    /// Takes one event in.
    pub(crate) fn apply(&mut self, record: SidebandRecord) {
        let time_ns = record.time_ns;
        match record.event {
            SidebandEvent::Fork { pid, parent_pid, tid } if pid == tid && pid != parent_pid => {
                self.fork(pid, parent_pid, time_ns);
            }
            SidebandEvent::Exit { pid, tid } => self.exit(pid, tid, time_ns),
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
                self.map(pid, time_ns, mapping);
            }
            SidebandEvent::Lost { count, since_ns } => {
                self.lost_events += count.max(1);
                self.doubt_everything(since_ns);
            }
            SidebandEvent::Fork { .. } | SidebandEvent::KernelSymbol { .. } => {}
        }
    }

    /// The child has a copy of the parent's address space.
    fn fork(&mut self, pid: u32, parent: u32, time_ns: u64) {
        if self.get(pid).is_some_and(|known| known.born_ns >= time_ns) {
            return;
        }
        let id = self.new_id();
        let (space, comm) = match self.get(parent) {
            Some(process) => (process.current().fork(id, time_ns), process.comm.clone()),
            None => (Space::begin(id, Origin::BeforeUs, time_ns), String::new()),
        };
        let mut child = WatchedProcess::new(space);
        child.comm = comm;
        child.parent = parent;
        child.born_ns = time_ns;
        if let Some(before) = self.get_mut(pid) {
            // Its pid is free again, whoever told of its end.
            before.exited_ns.get_or_insert(time_ns);
        }
        self.add(pid, child);
    }

    /// The address space is new and empty; what is mapped from here on, events tell.
    fn exec(&mut self, pid: u32, time_ns: u64) {
        let space = self.begin(Origin::Exec, time_ns);
        let left = self.entry(pid).enter(space, SpaceId::forgotten(pid));
        self.forgotten_early += left.len() as u64;
        self.forgotten.extend(left.into_iter().map(|space| (pid, space)));
    }

    /// The end of the main thread is mostly that of the process. Once it is known that others lived on, each of theirs may be.
    fn exit(&mut self, pid: u32, tid: u32, time_ns: u64) {
        if let Some(process) = self.get_mut(pid)
            && (pid == tid || process.lacks_main_thread)
        {
            process.exited_ns = Some(time_ns);
        }
    }

    fn map(&mut self, pid: u32, time_ns: u64, mapping: Mapping) {
        let space = self.entry(pid).current_mut();
        if space.executable.is_none() && mapping.is_file() {
            space.executable = Some(mapping.name.clone());
        }
        if space.mappings.len() >= MAX_MAPPINGS {
            self.cut_mappings += 1;
            return;
        }
        space.map(time_ns, mapping);
    }

    /// Events were lost after this time: each process may be another program by now, have other mappings, or be gone.
    fn doubt_everything(&mut self, since_ns: u64) {
        let next = &mut self.next_space;
        for (pid, lives) in &mut self.lives {
            let Some(process) = lives.last_mut() else { continue };
            // Of one whose past is unknown nothing can be out of date.
            if process.exited_ns.is_some() || !process.current().is_complete {
                continue;
            }
            *next += 1;
            let since_ns = since_ns.max(process.current().since_ns);
            let space = Space::begin(SpaceId(*next), Origin::AfterLoss, since_ns);
            self.doubted.push(*pid);
            let left = process.enter(space, SpaceId::forgotten(*pid));
            self.forgotten.extend(left.into_iter().map(|space| (*pid, space)));
        }
    }

    /// Pids whose process may be forgotten if it has ended indeed: its main thread has, long ago.
    pub(crate) fn long_ended(&self, now_ns: u64) -> Vec<u32> {
        let earliest = self.earliest_ended();
        let is_due = |life: &WatchedProcess| life.is_due(now_ns, earliest);
        let due = self.lives.iter().filter(|(_, lives)| lives.iter().any(is_due));
        due.map(|(pid, _)| *pid).collect()
    }

    /// Forgets those of `pids` that ended long ago, and address spaces that were left long ago. `alive`: in these other
    /// threads live on. Returns the pids that are no process's any more.
    pub(crate) fn forget(&mut self, now_ns: u64, pids: &[u32], alive: &HashSet<u32>) -> Vec<u32> {
        for pid in alive {
            if let Some(process) = self.get_mut(*pid) {
                process.lives_on();
            }
        }
        let asked: HashSet<u32> = pids.iter().copied().collect();
        let earliest = self.earliest_ended();
        let forgotten = &mut self.forgotten;
        let mut free = Vec::new();
        self.lives.retain(|pid, lives| {
            lives.retain_mut(|life| {
                let left = life.forget_before(now_ns.saturating_sub(MEMORY_NS));
                forgotten.extend(left.into_iter().map(|space| (*pid, space)));
                let keep = !(asked.contains(pid) && life.is_due(now_ns, earliest));
                if !keep {
                    forgotten.extend(life.spaces().iter().map(|space| (*pid, space.clone())));
                }
                keep
            });
            if lives.is_empty() {
                free.push(*pid);
            }
            !lives.is_empty()
        });
        self.count = self.lives.values().map(Vec::len).sum();
        free
    }

    /// So that no more than [`MAX_ENDED`] are remembered, those are forgotten that ended up to this time; 0: none.
    fn earliest_ended(&self) -> u64 {
        let mut ended: Vec<u64> =
            self.lives.values().flatten().filter_map(|life| life.exited_ns).collect();
        if ended.len() <= MAX_ENDED {
            return 0;
        }
        let excess = ended.len() - MAX_ENDED;
        *ended.select_nth_unstable(excess - 1).1
    }

    /// The address spaces that were forgotten since this was last asked.
    pub(crate) fn take_forgotten(&mut self) -> Vec<(u32, Space)> {
        std::mem::take(&mut self.forgotten)
    }

    /// The processes of which something was lost since this was last asked.
    pub(crate) fn take_doubted(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.doubted)
    }

    fn add(&mut self, pid: u32, process: WatchedProcess) {
        self.count += 1;
        self.lives.entry(pid).or_default().push(process);
    }

    fn begin(&mut self, origin: Origin, since_ns: u64) -> Space {
        Space::begin(self.new_id(), origin, since_ns)
    }

    fn new_id(&mut self) -> SpaceId {
        self.next_space += 1;
        SpaceId(self.next_space)
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
