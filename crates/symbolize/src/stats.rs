//! What the symbolizer counts about itself.

/// Totals since the start. A count of addresses unless said otherwise.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Answered from the cache.
    pub hits: u64,
    /// Looked up in the image.
    pub misses: u64,
    /// Shown as `module+0xoffset`.
    pub unnamed: u64,
    /// Images whose debug information exceeded the budget; they are named from symbol tables only.
    pub dwarf_over_budget: u64,
    /// Batches in which a source other than DWARF exceeded the budget.
    pub over_budget: u64,
    /// Images that could not be opened or are not ELF.
    pub image_errors: u64,
    /// Sources of names that were malformed or could not be read.
    pub source_errors: u64,
    /// Files of split debug information that are of another build, or malformed.
    pub split_refused: u64,
    /// Units whose split debug information was not looked for in all places: a batch opens a limited number of files.
    pub split_over_budget: u64,
}

impl Stats {
    /// Counts a source that gave no names.
    pub(crate) fn count(&mut self, error: &crate::Error) {
        match error {
            crate::Error::OverBudget(_) => self.over_budget += 1,
            _ => self.source_errors += 1,
        }
    }
}
