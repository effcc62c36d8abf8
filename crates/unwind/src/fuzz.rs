//! Entry points for fuzzers. What they hold true of any input is what callers rely on.

use crate::{CompactTable, Options, Plan, build};

/// Limits that a fuzzer's small inputs could reach.
const OPTIONS: Options = Options {
    max_section_bytes: 1 << 20,
    max_rows: 1 << 16,
    max_followed_bytes: 1 << 16,
    symbols: &[],
    own_symbols: &[],
};

/// Builds tables of any bytes, whole and by page: with undescribed code followed, and with all of it too much for that.
///
/// # Panics
/// If the table is not well-formed: a defect of this crate.
#[doc(hidden)]
pub fn fuzz_build(data: &[u8]) {
    for max_followed_bytes in [OPTIONS.max_followed_bytes, 0] {
        let options = Options { max_followed_bytes, ..OPTIONS };
        if let Ok(table) = build(data, &options) {
            assert_well_formed(&table);
        }
        make_pages(data, &options);
    }
}

/// Makes the first pages, and two that no image has.
fn make_pages(data: &[u8], options: &Options) {
    let Ok(mut plan) = Plan::open(data, options) else { return };
    let wanted: Vec<u32> = plan.pages().take(4).chain([0, u32::MAX]).collect();
    for (page, table) in plan.make(data, &wanted).unwrap_or_default() {
        assert_well_formed(&table);
        assert_eq!(table.pages.iter().map(|made| made.index).collect::<Vec<_>>(), [page]);
    }
}

fn assert_well_formed(table: &CompactTable) {
    assert!(table.rows.len() <= OPTIONS.max_rows);
    assert!(table.pages.is_sorted_by(|left, right| left.index < right.index));
    let mut next_row = 0;
    for page in &table.pages {
        assert_eq!(page.first_row, next_row, "pages share no rows and leave none out");
        next_row += page.row_count;
        let rows = table.rows_of(page);
        assert_eq!(rows.first().map(|row| row.address_low), Some(0));
        assert!(rows.is_sorted_by(|left, right| left.address_low < right.address_low));
        assert!(rows.windows(2).all(|pair| pair[0].rule != pair[1].rule), "a row changes the rule");
        assert!(rows.iter().all(|row| usize::from(row.rule) < table.rules.len()));
    }
    assert_eq!(next_row as usize, table.rows.len());
}
