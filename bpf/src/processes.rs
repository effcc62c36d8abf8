//! What the kernel side knows of processes: their executable mappings, and which of them it samples.

use std::{collections::HashMap, rc::Rc};

use infrared_abi::{IR_MAPPING_SLAB_SIZE, bytes_of, ir_go_offsets, ir_mapping, ir_process};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use crate::{
    arena::{Arena, SlabKind, put},
    error::KernelError,
    extents::Extent,
    live::Live,
};

/// The executable mappings of one process, as the kernel shall see them.
#[derive(Clone, Debug, Default)]
pub struct MappingBlock {
    /// Sorted by start, not overlapping.
    pub mappings: Vec<ir_mapping>,
    /// `enum ir_process_state`.
    pub state: u32,
    /// `mm->start_stack` when the mappings were read; 0 if not known.
    pub start_stack: u64,
    pub go: ir_go_offsets,
}

/// Mappings of all processes in the kernel, and the process filter.
#[derive(Debug)]
pub struct ProcessMaps {
    arena: Arena<ir_mapping>,
    processes: MapHandle,
    filter_pids: MapHandle,
    filter_cgroups: MapHandle,
    live: Rc<Live>,
    blocks: HashMap<u32, Extent>,
}

impl ProcessMaps {
    pub(crate) fn new(
        slabs: MapHandle,
        processes: MapHandle,
        pids: MapHandle,
        cgroups: MapHandle,
        live: Rc<Live>,
    ) -> Self {
        let kind =
            SlabKind { what: "mappings", size: IR_MAPPING_SLAB_SIZE, limit: slabs.max_entries() };
        Self {
            arena: Arena::new(kind, slabs),
            processes,
            filter_pids: pids,
            filter_cgroups: cgroups,
            live,
            blocks: HashMap::new(),
        }
    }

    /// Most mappings that a process can have here; more cannot be published.
    pub const MAX_MAPPINGS: usize = IR_MAPPING_SLAB_SIZE as usize;

    /// Replaces what the kernel knows of a process, at one stroke.
    pub fn publish(&mut self, pid: u32, block: &MappingBlock) -> Result<(), KernelError> {
        let extent = self.arena.take(block.mappings.len())?;
        self.arena.write(extent, &block.mappings)?;
        let entry = ir_process {
            state: block.state,
            slab: extent.slab,
            first: extent.first,
            count: block.mappings.len() as u32,
            start_stack: block.start_stack,
            go: block.go,
        };
        if let Err(error) = put(&self.processes, "ir_processes", &pid, &entry) {
            self.arena.release(extent);
            return Err(error);
        }
        let old = self.blocks.insert(pid, extent);
        self.outdate_known();
        if let Some(old) = old {
            self.arena.release(old);
        }
        Ok(())
    }

    /// Forgets a process that has ended.
    pub fn remove(&mut self, pid: u32) {
        // The entry may be gone already: an exec deletes it.
        if let Err(error) = self.processes.delete(bytes_of(&pid)) {
            tracing::trace!(pid, %error, "process entry was already gone");
        }
        if let Err(error) = self.filter_pids.delete(bytes_of(&pid)) {
            tracing::trace!(pid, %error, "process was not in the filter");
        }
        if let Some(extent) = self.blocks.remove(&pid) {
            self.outdate_known();
            self.arena.release(extent);
        }
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
        put(&self.filter_pids, "ir_filter_pids", &pid, &1u32)
    }

    /// Whether a process is among those selected, as its ancestors were.
    pub fn is_selected(&self, pid: u32) -> bool {
        matches!(self.filter_pids.lookup(bytes_of(&pid), MapFlags::ANY), Ok(Some(_)))
    }

    /// Adds a cgroup (v2 id) to those that are sampled.
    pub fn select_cgroup(&self, id: u64) -> Result<(), KernelError> {
        put(&self.filter_cgroups, "ir_filter_cgroups", &id, &1u32)
    }

    /// Bytes of kernel memory that mapping slabs take.
    pub fn slab_bytes(&self) -> usize {
        self.arena.slab_bytes()
    }
}
