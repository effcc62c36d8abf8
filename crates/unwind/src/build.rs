//! ELF image → compact table of all its pages, and what that may cost.

use object::ReadRef;

use crate::error::Error;
use crate::plan::Plan;
use crate::table::CompactTable;

/// Limits on what one image may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The largest section that is read, in bytes after decompression.
    pub max_section_bytes: u64,
    /// The most rows a table may have.
    pub max_rows: usize,
    /// The most bytes of code without unwind information that are followed instruction by instruction. If there are
    /// more, none are.
    pub max_followed_bytes: u64,
    /// Dynamic symbols that are looked for, in groups.
    pub symbols: &'static [&'static [&'static str]],
    /// Symbols that are looked for among those that the image keeps for itself, if it has the dynamic one beside.
    pub own_symbols: &'static [(&'static str, &'static str)],
}

impl Default for Options {
    /// 128 MiB a section, 16 Mi rows (64 MiB): several times what the largest executables of today need. 2 MiB of code
    /// without unwind information: a static musl libc has 0.4.
    fn default() -> Self {
        Self {
            max_section_bytes: 128 << 20,
            max_rows: 16 << 20,
            max_followed_bytes: 2 << 20,
            symbols: &[],
            own_symbols: &[],
        }
    }
}

/// Builds the table of an image. `data` is its bytes, or a [`ReadCache`](object::ReadCache) over its file, of which
/// then only the headers and the sections with unwind information are read.
///
/// Costs time and memory in proportion to those sections.
pub fn build<'d, R: ReadRef<'d>>(data: R, options: &Options) -> Result<CompactTable, Error> {
    Plan::open(data, options)?.make_all(data)
}
