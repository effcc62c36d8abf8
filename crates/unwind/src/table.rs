//! The compact table of one image: pages of rows, rows that name rules, and the search in them.
//!
//! It holds addresses of the image alone (SVMA: the ELF `p_vaddr` space); where a process maps the image is not its
//! matter.

use crate::go::GoInfo;
use crate::intern::RuleSet;
use crate::rule::Rule;

/// log2 of a page's size in bytes.
pub const PAGE_SHIFT: u32 = infrared_abi::IR_PAGE_SHIFT;

/// A rule's index in [`CompactTable::rules`].
pub type RuleId = u16;

/// From `address_low` on, up to the next row of the page, `rule` is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The low 16 bits of the SVMA.
    pub address_low: u16,
    /// An index into [`CompactTable::rules`].
    pub rule: RuleId,
}

/// 64 KiB of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// SVMA >> 16
    pub index: u32,
    /// Where its rows start in [`CompactTable::rows`].
    pub first_row: u32,
    /// How many they are, 1..=65536.
    pub row_count: u32,
}

/// What went into a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Frame descriptions read from `.eh_frame` and `.debug_frame`.
    pub fdes: u64,
    /// Of them, those that are damaged, wholly or from some row on.
    pub malformed_fdes: u64,
    /// Address ranges that a frame description repeats although another one has described them.
    pub overlaps: u64,
    /// Rows before equal neighbours are merged.
    pub raw_rows: u64,
    /// Raw rows whose rule cannot be expressed.
    pub unsupported_rows: u64,
    /// Raw rows in which fp or rbx is recoverable only by means the table cannot express.
    pub lost_register_rows: u64,
    /// Holes of at least 16 bytes between described ranges.
    pub gaps: u64,
    /// Sections besides `.eh_frame` that are too large, outside the file or do not decompress.
    pub unread_sections: u64,
    /// Functions taken from Go's own tables.
    pub go_functions: u64,
    /// Ranges without unwind information whose rules were found from the code's bytes.
    pub recognized_ranges: u64,
}

/// Unwind rules of one image, sorted by address.
#[derive(Debug, Clone, Default)]
pub struct CompactTable {
    /// Sorted by `index`, without repeats. A page without code that is covered is absent.
    pub pages: Vec<Page>,
    /// The rows of all pages; those of one page are contiguous and sorted, the first has `address_low` 0.
    pub rows: Vec<Row>,
    /// Distinct rules.
    pub rules: Vec<Rule>,
    /// What Go's function table says, if the image has one.
    pub go: Option<GoInfo>,
    /// What went in.
    pub stats: Stats,
}

impl CompactTable {
    /// The rows of a page.
    pub fn rows_of(&self, page: &Page) -> &[Row] {
        let first = page.first_row as usize;
        self.rows.get(first..first + page.row_count as usize).unwrap_or_default()
    }

    /// Says of a page, should it have no row, that nothing covers it.
    pub(crate) fn add_hole(&mut self, index: u32) {
        if self.pages.is_empty() {
            self.rows.push(Row { address_low: 0, rule: RuleSet::NONE });
            self.pages.push(Page { index, first_row: 0, row_count: 1 });
        }
    }
}

/// The rule in force at `svma`. `None` if its page has no row; an address in a hole of a page has [`Rule::NONE`].
pub fn lookup(table: &CompactTable, svma: u64) -> Option<&Rule> {
    let index = u32::try_from(svma >> PAGE_SHIFT).ok()?;
    let page = table.pages.binary_search_by_key(&index, |page| page.index).ok()?;
    let rows = table.rows_of(&table.pages[page]);
    let low = svma as u16;
    let after = rows.partition_point(|row| row.address_low <= low);
    let row = rows.get(after.checked_sub(1)?)?;
    table.rules.get(usize::from(row.rule))
}
