//! What user space tells the sampler while it runs.

use std::cell::Cell;

use infrared_abi::{IR_NARROWED, IR_PAUSED, bytes_of, ir_live};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use crate::error::KernelError;

/// The sampler's `ir_live`.
#[derive(Debug)]
pub(crate) struct Live {
    map: MapHandle,
    state: Cell<ir_live>,
}

impl Live {
    /// `map` is the sampler's section `.data.live`. `is_narrowed`: processes are left out. A CPU wakes user space when it has
    /// sent `wake_bytes`.
    pub(crate) fn start(
        map: MapHandle,
        is_narrowed: bool,
        wake_bytes: u32,
    ) -> Result<Self, KernelError> {
        let attention = if is_narrowed { IR_NARROWED } else { 0 };
        let state = ir_live { window: 1, attention, wake_bytes, ..ir_live::default() };
        let live = Self { map, state: Cell::new(state) };
        live.write(state)?;
        Ok(live)
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

    /// The present epoch of the tables.
    pub(crate) fn tables_epoch(&self) -> u32 {
        self.state.get().tables_epoch
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
        let before = self.state.get();
        let rest = before.attention & !IR_PAUSED;
        let attention = if is_paused { rest | IR_PAUSED } else { rest };
        self.write(ir_live { attention, ..before })
    }

    fn write(&self, state: ir_live) -> Result<(), KernelError> {
        self.state.set(state);
        self.map
            .update(&0u32.to_ne_bytes(), bytes_of(&state), MapFlags::ANY)
            .map_err(|source| KernelError::Map { action: "write", map: "live state", source })
    }
}
