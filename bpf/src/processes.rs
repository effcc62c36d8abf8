//! What the kernel side knows of processes: their executable mappings, their runtimes, and which of them it samples.

use std::{collections::HashMap, rc::Rc};

use infrared_abi::{
    IR_MAPPING_SLAB_SIZE, IR_SELECTED, IR_SELECTED_FROM_EXEC, Pod, bytes_of, ir_mapping,
    ir_process, ir_runtime_states,
};
use libbpf_rs::{ErrorKind, MapCore, MapFlags, MapHandle};

use crate::{
    arena::{Arena, SlabKind, put},
    error::KernelError,
    extents::Extent,
    live::Live,
};

/// The executable mappings of one process and what is known of its runtimes, as the kernel shall see them.
#[derive(Clone, Debug, Default)]
pub struct MappingBlock {
    /// Sorted by start, not overlapping.
    pub mappings: Vec<ir_mapping>,
    /// `enum ir_process_state`.
    pub state: u32,
    /// `mm->start_stack` when the mappings were read; 0 if not known.
    pub start_stack: u64,
    /// `None` where it has no runtime that is followed. Its `run` is of no matter here.
    pub runtimes: Option<Box<ir_runtime_states>>,
}

/// Adds to what is sampled.
fn choose<K: Pod>(
    map: &MapHandle,
    what: &'static str,
    key: &K,
    selection: u32,
) -> Result<(), KernelError> {
    map.update(bytes_of(key), bytes_of(&selection), MapFlags::ANY).map_err(|source| {
        match source.kind() {
            ErrorKind::TooBig => KernelError::Full { what, limit: map.max_entries() as usize },
            _ => KernelError::Map { action: "write", map: what, source },
        }
    })
}

/// Mappings of all processes in the kernel, and the process filter.
#[derive(Debug)]
pub struct ProcessMaps {
    arena: Arena<ir_mapping>,
    processes: MapHandle,
    runtime_states: MapHandle,
    filter_pids: MapHandle,
    filter_cgroups: MapHandle,
    live: Rc<Live>,
    blocks: HashMap<u32, Extent>,
    /// Number of the run that was written last.
    last_run: u64,
}

impl ProcessMaps {
    pub(crate) fn new(
        slabs: MapHandle,
        (processes, runtime_states): (MapHandle, MapHandle),
        (pids, cgroups): (MapHandle, MapHandle),
        live: Rc<Live>,
    ) -> Self {
        let kind =
            SlabKind { what: "mappings", size: IR_MAPPING_SLAB_SIZE, limit: slabs.max_entries() };
        Self {
            arena: Arena::new(kind, slabs),
            processes,
            runtime_states,
            filter_pids: pids,
            filter_cgroups: cgroups,
            live,
            blocks: HashMap::new(),
            last_run: 0,
        }
    }

    /// Most mappings that a process can have here; more cannot be published.
    pub const MAX_MAPPINGS: usize = IR_MAPPING_SLAB_SIZE as usize - 1;

    /// Replaces what the kernel knows of a process, at one stroke. What it knew before holds if this fails.
    pub fn publish(&mut self, pid: u32, block: &MappingBlock) -> Result<(), KernelError> {
        let extent = self.arena.take(block.mappings.len() + 1)?;
        self.last_run += 1;
        let head = ir_mapping { bias: self.last_run, ..ir_mapping::default() };
        let run: Vec<ir_mapping> =
            std::iter::once(head).chain(block.mappings.iter().copied()).collect();
        let entry = ir_process {
            state: block.state,
            slab: extent.slab,
            first: extent.first + 1,
            count: block.mappings.len() as u32,
            start_stack: block.start_stack,
            run: self.last_run,
        };
        let told = self
            .arena
            .write(extent, &run)
            .and_then(|()| self.tell_states(pid, block))
            .and_then(|()| put(&self.processes, "ir_processes", &pid, &entry));
        if let Err(error) = told {
            self.arena.release(extent);
            return Err(error);
        }
        let old = self.blocks.insert(pid, extent);
        self.give_back(old);
        Ok(())
    }

    /// Tells what is known of a process's runtimes. A walk does not believe it before the entry of the same run is there.
    fn tell_states(&self, pid: u32, block: &MappingBlock) -> Result<(), KernelError> {
        let Some(states) = &block.runtimes else {
            self.forget_states(pid);
            return Ok(());
        };
        let states = ir_runtime_states { run: self.last_run, ..**states };
        put(&self.runtime_states, "ir_runtime_states", &pid, &states)
    }

    fn forget_states(&self, pid: u32) {
        // Most processes have none.
        if let Err(error) = self.runtime_states.delete(bytes_of(&pid)) {
            tracing::trace!(pid, %error, "nothing was known of its runtimes");
        }
    }

    /// Forgets the mappings and runtimes of a process, which goes on to be sampled if it was selected.
    pub fn forget_mappings(&mut self, pid: u32) {
        // The entry may be gone already: an exec deletes it.
        if let Err(error) = self.processes.delete(bytes_of(&pid)) {
            tracing::trace!(pid, %error, "process entry was already gone");
        }
        self.forget_states(pid);
        let old = self.blocks.remove(&pid);
        self.give_back(old);
    }

    /// Forgets a process that has ended.
    pub fn remove(&mut self, pid: u32) {
        self.forget_mappings(pid);
        if let Err(error) = self.filter_pids.delete(bytes_of(&pid)) {
            tracing::trace!(pid, %error, "process was not in the filter");
        }
    }

    /// Gives a run away. Entries of children that were forked meanwhile may point there: by its head they know.
    fn give_back(&mut self, run: Option<Extent>) {
        let Some(run) = run else { return };
        if let Err(error) = self.arena.write(run, &[ir_mapping::default()]) {
            // Better lost than believed.
            tracing::warn!(%error, "a run of mappings cannot be marked as given away");
            return;
        }
        self.outdate_known();
        self.arena.release(run);
    }

    /// CPUs let go of the process that they have at hand; to be done before the room of its mappings is given away.
    fn outdate_known(&self) {
        if let Err(error) = self.live.processes_changed() {
            tracing::warn!(%error, "the kernel may use mappings that are gone");
        }
    }

    pub fn is_published(&self, pid: u32) -> bool {
        self.blocks.contains_key(&pid)
    }

    /// Adds a process, and with it the children that it will have, to those that are sampled.
    pub fn select_pid(&self, pid: u32) -> Result<(), KernelError> {
        choose(&self.filter_pids, "selected processes", &pid, IR_SELECTED)
    }

    /// The same from the process's next exec on. What it does before is filtered.
    pub fn select_pid_from_exec(&self, pid: u32) -> Result<(), KernelError> {
        choose(&self.filter_pids, "selected processes", &pid, IR_SELECTED_FROM_EXEC)
    }

    /// Whether a process is among those selected, as its ancestors were.
    pub fn is_selected(&self, pid: u32) -> bool {
        matches!(self.filter_pids.lookup(bytes_of(&pid), MapFlags::ANY), Ok(Some(_)))
    }

    /// Adds a cgroup (v2 id) to those that are sampled, with all below it, those made later too.
    pub fn select_cgroup(&self, id: u64) -> Result<(), KernelError> {
        choose(&self.filter_cgroups, "chosen cgroups", &id, IR_SELECTED)
    }

    /// Lets go of memory that is at hand for what comes in a row.
    pub(crate) fn let_go(&mut self) {
        self.arena.let_go();
    }

    /// Bytes of kernel memory that mapping slabs take.
    pub fn slab_bytes(&self) -> usize {
        self.arena.slab_bytes()
    }
}
