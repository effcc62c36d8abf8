//! One process: its address spaces in order of time, since an exec gives it a new one.

use super::space::{Asked, Origin, Space, SpaceId};

/// Address spaces that are remembered of one process: a program that executes itself without end is held to this many. Those
/// that were sampled go last, as their samples may wait.
const MAX_SPACES: usize = 16;
const MAX_SAMPLED_SPACES: usize = 256;

/// How long after its exit a process that was sampled is remembered: its samples may wait that long to be unwound.
pub(super) const MEMORY_NS: u64 = 25_000_000_000;
/// The same of a process that was never sampled: a sample of it is not far behind its exit.
const SHORT_MEMORY_NS: u64 = 2_000_000_000;

/// A process that runs, or ended so recently that samples of it may be on their way.
#[derive(Clone, Debug)]
pub(crate) struct WatchedProcess {
    /// Name of the main thread.
    pub(crate) comm: String,
    pub(crate) parent: u32,
    /// `CLOCK_MONOTONIC` time of its fork; 0 where that was before us.
    pub(crate) born_ns: u64,
    /// Start on `CLOCK_BOOTTIME`, as samples tell it; 0 until then.
    pub(crate) start_time_ns: u64,
    /// Oldest first, never empty.
    spaces: Vec<Space>,
    /// `CLOCK_MONOTONIC` time of its last sample; 0: none yet. Only then the kernel is told of its mappings.
    pub(crate) last_sample_ns: u64,
    /// `CLOCK_MONOTONIC` time of the exit of its main thread. Other threads may live on.
    pub(crate) exited_ns: Option<u64>,
    /// The main thread has ended and others live on: a thread group lives until its last thread.
    pub(crate) lacks_main_thread: bool,
}

impl WatchedProcess {
    pub(crate) fn new(space: Space) -> Self {
        Self {
            comm: String::new(),
            parent: 0,
            born_ns: space.since_ns,
            start_time_ns: 0,
            spaces: vec![space],
            last_sample_ns: 0,
            exited_ns: None,
            lacks_main_thread: false,
        }
    }

    pub(crate) fn is_sampled(&self) -> bool {
        self.last_sample_ns != 0
    }

    pub(crate) fn current(&self) -> &Space {
        self.spaces
            .last()
            .unwrap_or_else(|| unreachable!("a process has an address space from its birth on"))
    }

    pub(crate) fn current_mut(&mut self) -> &mut Space {
        self.spaces
            .last_mut()
            .unwrap_or_else(|| unreachable!("a process has an address space from its birth on"))
    }

    pub(crate) fn spaces(&self) -> &[Space] {
        &self.spaces
    }

    pub(crate) fn spaces_mut(&mut self) -> &mut [Space] {
        &mut self.spaces
    }

    /// The address space in which the process was at a time.
    pub(crate) fn space_at(&self, time_ns: u64) -> &Space {
        &self.spaces[self.index_at(time_ns)]
    }

    pub(crate) fn space_at_mut(&mut self, time_ns: u64) -> &mut Space {
        let index = self.index_at(time_ns);
        &mut self.spaces[index]
    }

    fn index_at(&self, time_ns: u64) -> usize {
        self.spaces.partition_point(|space| space.since_ns <= time_ns).saturating_sub(1)
    }

    pub(crate) fn space(&self, id: SpaceId) -> Option<&Space> {
        self.spaces.iter().find(|space| space.id == id)
    }

    pub(crate) fn space_mut(&mut self, id: SpaceId) -> Option<&mut Space> {
        self.spaces.iter_mut().find(|space| space.id == id)
    }

    /// Whether an address space can still be read: the process is in it, and nobody has found it gone.
    pub(crate) fn is_readable(&self, id: SpaceId) -> bool {
        let current = self.current();
        current.id == id && self.exited_ns.is_none() && current.asked != Asked::Gone
    }

    /// Begins another address space. Those that are too many are forgotten and returned: `forgotten` then names what stands
    /// for all that were.
    pub(crate) fn enter(&mut self, space: Space, forgotten: SpaceId) -> Vec<Space> {
        self.spaces.push(space);
        let mut left = Vec::new();
        if self.spaces.len() > MAX_SPACES && self.spaces[0].origin != Origin::Forgotten {
            let placeholder = Space::begin(forgotten, Origin::Forgotten, self.spaces[0].since_ns);
            left.push(std::mem::replace(&mut self.spaces[0], placeholder));
        }
        while let Some(excess) = self.excess() {
            left.push(self.spaces.remove(excess));
        }
        left
    }

    /// The one that is too much: neither the present one nor what stands for those that are forgotten.
    fn excess(&self) -> Option<usize> {
        if self.spaces.len() > MAX_SAMPLED_SPACES {
            return Some(1);
        }
        let left = self.spaces.get(1..self.spaces.len() - 1)?;
        let unsampled = left.iter().position(|space| space.last_sample_ns == 0)?;
        (self.spaces.len() > MAX_SPACES).then_some(1 + unsampled)
    }

    /// Forgets address spaces that were left before a time. Returns them.
    pub(crate) fn forget_before(&mut self, horizon_ns: u64) -> Vec<Space> {
        let left = self.index_at(horizon_ns);
        self.spaces.drain(..left).collect()
    }

    /// Whether the process was there at a time, as far as events tell.
    pub(crate) fn lived_at(&self, time_ns: u64) -> bool {
        self.born_ns <= time_ns && self.exited_ns.is_none_or(|exited| time_ns <= exited)
    }

    /// It was seen after its main thread had ended.
    pub(crate) fn lives_on(&mut self) {
        self.lacks_main_thread |= self.exited_ns.take().is_some();
    }

    /// Whether it ended so long ago that it may be forgotten: or up to `earliest_ns`, as there are too many.
    pub(super) fn is_due(&self, now_ns: u64, earliest_ns: u64) -> bool {
        let memory = if self.is_sampled() { MEMORY_NS } else { SHORT_MEMORY_NS };
        let horizon = now_ns.saturating_sub(memory).max(earliest_ns);
        self.exited_ns.is_some_and(|exited| exited <= horizon)
    }
}
