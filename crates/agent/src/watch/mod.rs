//! Who runs, and what code each process has mapped, told by perf's side band, and by what is read of `/proc` where that
//! began before us. Pure.

mod functions;
mod mappings;
mod process;
mod runtimes;
mod space;
mod table;

pub(crate) use functions::{FunctionKey, FunctionWanted, Functions, MAX_BYTES_OF_ALL};
pub(crate) use mappings::{ImageRef, MAX_EAGER, MappedCode, MappingSet};
pub(crate) use runtimes::AttachWanted;
pub(crate) use space::{Asked, Origin, ProcessIdentity, Space, SpaceId};
pub(crate) use table::{ProcessTable, Sighting};
