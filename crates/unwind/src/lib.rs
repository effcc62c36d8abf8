//! Unwind information of ELF images → compact tables that the kernel side searches.
//!
//! It reads bytes that it is handed and returns a table. It does not open files, know processes, load anything into
//! the kernel or name functions. All input is hostile: a damaged image costs an error or counted rows, never a panic,
//! unbounded memory or unbounded time.

mod arch;
mod build;
mod cfi;
mod code;
mod error;
mod fuzz;
mod go;
mod image;
mod intern;
mod marks;
mod pages;
mod plan;
mod rest;
mod rows;
mod rule;
mod spans;
mod table;

pub use build::{Options, build};
pub use error::Error;
#[doc(hidden)]
pub use fuzz::fuzz_build;
pub use go::GoInfo;
pub use infrared_elf::Symbol;
pub use plan::Plan;
pub use rule::{MAX_RULES, Rule, RuleKind, Slot};
pub use table::{CompactTable, PAGE_SHIFT, Page, Row, RuleId, Stats, lookup};
