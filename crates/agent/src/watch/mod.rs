//! Who runs, and what code each process has mapped, told by perf's side band and read from `/proc` where that began
//! before us.

mod attach;
mod mappings;
mod process;
mod table;

pub(crate) use attach::{complete, resolve};
pub(crate) use mappings::{ImageRef, MappingSet};
pub(crate) use process::{Generation, ProcessIdentity, WatchedProcess};
pub(crate) use table::ProcessTable;
