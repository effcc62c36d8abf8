//! Names for addresses: (image, stated address) → function, file, line and inlined calls.
//!
//! Sources, the richest first: Go's own tables, DWARF (in the binary, a separate debug file, `.dwo` files or a package of them),
//! `.symtab`, `.gnu_debugdata`, `.dynsym`, PLT relocations; for JIT code perf maps, for the kernel
//! `/proc/kallsyms`. What none of them names goes by where its function starts (`.eh_frame`). It knows
//! nothing of processes, mappings or samples: the caller translates run-time addresses. All input is taken
//! as hostile: bounded in memory and work, and never a reason to panic.

mod cache;
mod debug_file;
mod demangle;
mod dwarf;
mod elf;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod go;
mod input;
mod kernel;
mod line;
mod packed;
mod paged;
mod perf_map;
mod perf_maps;
mod resolve;
mod split_file;
mod stats;
mod symbol_names;
mod symbolizer;
mod text_lines;
mod texts;

pub use debug_file::{DebugSearch, OpenBelow, open_below};
pub use demangle::demangle;
pub use error::Error;
pub use input::ReadAt;
pub use kernel::{KernelSymbol, KernelSymbols};
pub use line::{Line, Symbolized};
pub use perf_map::{PerfMap, PerfMapLimits};
pub use perf_maps::{JitProcess, PerfMaps};
pub use stats::Stats;
pub use symbolizer::{Image, ImageId, Limits, Open, Symbolizer};
