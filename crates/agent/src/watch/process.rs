//! One process: its address spaces in order of time, since an exec gives it a new one.

use std::{collections::BTreeMap, sync::Arc};

use infrared_bpf::abi::ir_go_offsets;

use super::mappings::MappingSet;

/// Who a process is, as labels of its series (all but the thread's).
pub(crate) type ProcessIdentity = BTreeMap<String, String>;

/// An address space: from one exec to the next.
#[derive(Clone, Debug)]
pub(crate) struct Generation {
    /// `CLOCK_MONOTONIC` time of the exec; 0 where it was before us.
    pub(crate) since_ns: u64,
    pub(crate) mappings: Arc<MappingSet>,
    /// The mappings are known from the start on, by events or from `/proc`.
    pub(crate) is_complete: bool,
    pub(crate) identity: Option<Arc<ProcessIdentity>>,
    /// The service's name comes from what children inherit: environment, cgroup.
    pub(crate) is_heritable: bool,
    /// What its environment at exec declares.
    pub(crate) declared_service: Option<Box<str>>,
    pub(crate) go: ir_go_offsets,
    /// Path of the executable, as far as events told it.
    pub(crate) executable: Option<Box<[u8]>>,
}

impl Generation {
    pub(crate) fn begin(since_ns: u64, is_complete: bool) -> Self {
        Self {
            since_ns,
            mappings: Arc::default(),
            is_complete,
            identity: None,
            is_heritable: false,
            declared_service: None,
            go: ir_go_offsets::default(),
            executable: None,
        }
    }
}

/// A process that runs, or ended so recently that samples of it may be on their way.
#[derive(Clone, Debug)]
pub(crate) struct WatchedProcess {
    /// Name of the main thread.
    pub(crate) comm: String,
    pub(crate) parent: u32,
    /// Oldest first, never empty.
    pub(crate) generations: Vec<Generation>,
    /// Samples of it were seen: only then the kernel is told of its mappings.
    pub(crate) is_sampled: bool,
    /// What the kernel was told is out of date.
    pub(crate) is_dirty: bool,
    /// `CLOCK_MONOTONIC` time of its exit.
    pub(crate) exited_ns: Option<u64>,
    /// Start on `CLOCK_BOOTTIME`, as samples tell it; 0 until then.
    pub(crate) start_time_ns: u64,
}

impl WatchedProcess {
    pub(crate) fn new(generation: Generation) -> Self {
        Self {
            comm: String::new(),
            parent: 0,
            generations: vec![generation],
            is_sampled: false,
            is_dirty: true,
            exited_ns: None,
            start_time_ns: 0,
        }
    }

    pub(crate) fn current(&self) -> &Generation {
        self.generations
            .last()
            .unwrap_or_else(|| unreachable!("a process has a generation from its birth on"))
    }

    pub(crate) fn current_mut(&mut self) -> &mut Generation {
        self.generations
            .last_mut()
            .unwrap_or_else(|| unreachable!("a process has a generation from its birth on"))
    }

    /// Index of the address space in which the process was at a time.
    pub(crate) fn generation_at(&self, time_ns: u64) -> usize {
        self.generations.partition_point(|g| g.since_ns <= time_ns).saturating_sub(1)
    }
}
