//! Entry points for fuzzers. What they hold true of any input is what callers rely on.

use crate::{CompactTable, Options, build};

/// Limits that a fuzzer's small inputs could reach.
const OPTIONS: Options =
    Options { max_section_bytes: 1 << 20, max_rows: 1 << 16, max_followed_bytes: 1 << 16 };

/// Builds tables of any bytes: with undescribed code followed, and with all of it too much for that.
///
/// # Panics
/// If the table is not well-formed: a defect of this crate.
#[doc(hidden)]
pub fn fuzz_build(data: &[u8]) {
    for max_followed_bytes in [OPTIONS.max_followed_bytes, 0] {
        if let Ok(table) = build(data, &Options { max_followed_bytes, ..OPTIONS }) {
            assert_well_formed(&table);
        }
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
