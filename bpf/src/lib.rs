//! The kernel side from user space: loads the BPF programs, feeds their tables, reads their records.
//!
//! The only crate that knows libbpf, `perf_event_open` and the layout of maps. What the records mean, who the
//! processes are and where tables come from is the agent's business.

#![allow(
    unsafe_code,
    reason = "memory-mapped kernel buffers, perf_event_open and the C unwinder need it"
)]

mod arena;
mod clock;
mod cpus;
mod error;
mod extents;
pub mod features;
mod host_unwinder;
mod live;
mod loader;
mod mapped;
mod perf;
mod pointers;
mod processes;
mod records;
mod reference;
mod ring;
mod sampling;
mod sideband;
mod stats;
mod tables;

pub use clock::monotonic_ns;
pub use cpus::online_cpus;
pub use error::KernelError;
pub use host_unwinder::{CopiedStack, HostUnwinder, Unwound};
pub use infrared_abi as abi;
pub use loader::{Filter, Kernel, KernelConfig};
pub use pointers::pages_pointed_at;
pub use processes::{MappingBlock, ProcessMaps};
pub use records::{CopiedMemory, DeferredSample, Exec, KernelStack, Record, UserStack};
pub use reference::Reference;
pub use sampling::{SAMPLING_EVENT, SamplerReport};
pub use sideband::{LOCKED_BYTES_PER_CPU, Sideband, SidebandEvent, SidebandRecord};
pub use stats::{RunTime, Stats};
pub use tables::{MAX_RULES_OF_IMAGE, PageKey, PageTable, TableError, TableUsage, UnwindTables};
