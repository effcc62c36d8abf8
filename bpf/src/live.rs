//! What user space tells the sampler while it runs.

use std::cell::Cell;

use infrared_abi::{bytes_of, ir_live};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use crate::error::KernelError;

/// The sampler's `ir_live`.
#[derive(Debug)]
pub(crate) struct Live {
    map: MapHandle,
    state: Cell<ir_live>,
}

impl Live {
    /// `map` is the sampler's section `.data.live`.
    pub(crate) fn new(map: MapHandle) -> Self {
        Self { map, state: Cell::new(ir_live { window: 1, ..ir_live::default() }) }
    }

    /// Begins a new window. Returns its number, never 0.
    pub(crate) fn next_window(&self) -> Result<u32, KernelError> {
        let before = self.state.get();
        let window = before.window.wrapping_add(1).max(1);
        self.write(ir_live {
            window,
            tables_epoch: before.tables_epoch.wrapping_add(1),
            ..before
        })?;
        Ok(window)
    }

    /// Rules that CPUs keep at hand are looked up anew.
    pub(crate) fn tables_changed(&self) -> Result<(), KernelError> {
        let before = self.state.get();
        self.write(ir_live { tables_epoch: before.tables_epoch.wrapping_add(1), ..before })
    }

    /// Processes that CPUs have at hand are looked up anew.
    pub(crate) fn processes_changed(&self) -> Result<(), KernelError> {
        let before = self.state.get();
        self.write(ir_live { processes_epoch: before.processes_epoch.wrapping_add(1), ..before })
    }

    pub(crate) fn pause(&self, is_paused: bool) -> Result<(), KernelError> {
        self.write(ir_live { paused: u32::from(is_paused), ..self.state.get() })
    }

    fn write(&self, state: ir_live) -> Result<(), KernelError> {
        self.state.set(state);
        self.map
            .update(&0u32.to_ne_bytes(), bytes_of(&state), MapFlags::ANY)
            .map_err(|source| KernelError::Map { action: "write", map: "live state", source })
    }
}
