//! Rows in ascending address order → pages.

use crate::error::Error;
use crate::intern::RuleSet;
use crate::table::{PAGE_SHIFT, Page, Row, RuleId};

/// Cuts rows into pages. Rows that change nothing are dropped; a page starts with the rule in force there.
#[derive(Debug)]
pub(crate) struct PageBuilder {
    pages: Vec<Page>,
    rows: Vec<Row>,
    in_force: RuleId,
    max_rows: usize,
}

impl PageBuilder {
    pub(crate) fn new(max_rows: usize) -> Self {
        Self { pages: Vec::new(), rows: Vec::new(), in_force: RuleSet::NONE, max_rows }
    }

    /// From `svma` on, `rule` is in force. Addresses come in ascending order and are below 2^48; the last of equal
    /// addresses counts.
    pub(crate) fn set(&mut self, svma: u64, rule: RuleId) -> Result<(), Error> {
        if rule == self.in_force {
            return Ok(());
        }
        let index = (svma >> PAGE_SHIFT) as u32;
        self.continue_to(svma)?;
        self.in_force = rule;
        let low = svma as u16;
        if self.pages.last().is_some_and(|page| page.index == index) {
            return self.push_row(low, rule);
        }
        if rule == RuleSet::NONE && low == 0 {
            return Ok(());
        }
        self.open_page(index);
        if low != 0 {
            self.push_row(0, RuleSet::NONE)?;
        }
        self.push_row(low, rule)
    }

    /// Opens the pages up to `svma`'s, that page included if it starts before `svma`, while a rule is in force.
    fn continue_to(&mut self, svma: u64) -> Result<(), Error> {
        if self.in_force == RuleSet::NONE {
            return Ok(());
        }
        let Some(last) = self.pages.last() else { return Ok(()) };
        let end = svma.div_ceil(1 << PAGE_SHIFT) as u32;
        for index in last.index.saturating_add(1)..end {
            self.open_page(index);
            self.push_row(0, self.in_force)?;
        }
        Ok(())
    }

    fn open_page(&mut self, index: u32) {
        self.pages.push(Page { index, first_row: self.rows.len() as u32, row_count: 0 });
    }

    fn push_row(&mut self, address_low: u16, rule: RuleId) -> Result<(), Error> {
        let Some(page) = self.pages.last_mut() else { return Ok(()) };
        if page.row_count > 0
            && let Some(last) = self.rows.last()
            && last.address_low == address_low
        {
            self.rows.pop();
            page.row_count -= 1;
        }
        if page.row_count > 0 && self.rows.last().is_some_and(|last| last.rule == rule) {
            return Ok(());
        }
        if self.rows.len() >= self.max_rows {
            return Err(Error::TooManyRows { limit: self.max_rows });
        }
        self.rows.push(Row { address_low, rule });
        page.row_count += 1;
        Ok(())
    }

    pub(crate) fn finish(mut self) -> (Vec<Page>, Vec<Row>) {
        self.pages.shrink_to_fit();
        self.rows.shrink_to_fit();
        (self.pages, self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (page, low, rule) of every row.
    fn build(sets: &[(u64, RuleId)]) -> Vec<(u32, u16, RuleId)> {
        let mut builder = PageBuilder::new(1000);
        for &(svma, rule) in sets {
            builder.set(svma, rule).unwrap();
        }
        let (pages, rows) = builder.finish();
        let mut flat = Vec::new();
        for page in pages {
            let first = page.first_row as usize;
            for row in &rows[first..first + page.row_count as usize] {
                flat.push((page.index, row.address_low, row.rule));
            }
        }
        flat
    }

    #[test]
    fn a_page_repeats_the_rule_in_force_and_equal_rows_are_dropped() {
        type Rows = Vec<(u32, u16, RuleId)>;
        let cases: [(&[(u64, RuleId)], Rows); 8] = [
            (&[(0x1_0010, 1), (0x1_0020, 0)], vec![(1, 0, 0), (1, 0x10, 1), (1, 0x20, 0)]),
            (&[(0x1_0000, 1), (0x1_0020, 0)], vec![(1, 0, 1), (1, 0x20, 0)]),
            (&[(0x1_0000, 1), (0x2_0000, 0)], vec![(1, 0, 1)]),
            (
                &[(0x1_fff0, 1), (0x2_0000, 2), (0x2_0008, 0)],
                vec![(1, 0, 0), (1, 0xfff0, 1), (2, 0, 2), (2, 8, 0)],
            ),
            (
                &[(0x1_0000, 1), (0x4_0001, 0)],
                vec![(1, 0, 1), (2, 0, 1), (3, 0, 1), (4, 0, 1), (4, 1, 0)],
            ),
            (
                &[(0x1_0000, 1), (0x1_0008, 1), (0x1_0010, 2), (0x1_0010, 3), (0x1_0020, 0)],
                vec![(1, 0, 1), (1, 0x10, 3), (1, 0x20, 0)],
            ),
            (
                &[(0x1_0000, 1), (0x1_0010, 0), (0x1_0010, 1), (0x1_0020, 0)],
                vec![(1, 0, 1), (1, 0x20, 0)],
            ),
            (
                &[(0x1_0000, 1), (0x1_0010, 0), (0x9_0010, 2), (0xa_0000, 0)],
                vec![(1, 0, 1), (1, 0x10, 0), (9, 0, 0), (9, 0x10, 2)],
            ),
        ];
        for (sets, rows) in cases {
            assert_eq!(build(sets), rows, "{sets:x?}");
        }
    }

    #[test]
    fn more_rows_than_the_limit_are_an_error() {
        let mut builder = PageBuilder::new(2);
        builder.set(0, 1).unwrap();
        builder.set(8, 2).unwrap();
        assert_eq!(builder.set(16, 3), Err(Error::TooManyRows { limit: 2 }));
    }
}
