//! Walks the facts of a selection: the head, what is being flushed, then the segments. Keeps no facts itself.

use std::collections::HashMap;
use std::sync::Arc;

use super::Shared;
use super::head::{Fact, Head};
use super::ids::{SeriesHash, SeriesKey};
use super::segment::{FactsFilter, Segment};
use crate::coverage::Windows;
use crate::{Budget, Selection, StoreError};

/// What a query does with the facts it is shown.
pub(super) trait Visitor {
    /// `index` is the same for equal `series` throughout one scan.
    fn fact(&mut self, index: u32, series: &SeriesKey, fact: &Fact);

    /// All facts of `head` were shown. Its dictionaries may be gone after this call.
    fn head_done(&mut self, head: &Head);

    /// Rows held, for the budget.
    fn rows(&self) -> usize;
}

/// What a scan leaves behind.
pub(super) struct Scanned {
    pub(super) windows: Windows,
    /// The segments at the time of the scan, in order.
    pub(super) segments: Arc<Vec<Arc<Segment>>>,
}

#[derive(Default)]
struct SeriesIndex {
    by_hash: HashMap<SeriesHash, u32>,
    keys: Vec<SeriesKey>,
}

impl SeriesIndex {
    fn add(&mut self, hash: SeriesHash, key: SeriesKey) {
        let next = self.keys.len() as u32;
        if let std::collections::hash_map::Entry::Vacant(entry) = self.by_hash.entry(hash) {
            entry.insert(next);
            self.keys.push(key);
        }
    }

    fn show(&self, fact: &Fact, visitor: &mut dyn Visitor) {
        if let Some(&index) = self.by_hash.get(&fact.series) {
            visitor.fact(index, &self.keys[index as usize], fact);
        }
    }
}

struct Scan<'q> {
    selection: &'q Selection,
    budget: &'q Budget,
    series: SeriesIndex,
    windows: Windows,
}

pub(super) fn scan(
    shared: &Shared,
    selection: &Selection,
    budget: &Budget,
    visitor: &mut dyn Visitor,
) -> Result<Scanned, StoreError> {
    let mut scan =
        Scan { selection, budget, series: SeriesIndex::default(), windows: Windows::default() };
    let (frozen, segments) = {
        let state = shared.state();
        scan.head(&state.active, visitor)?;
        (state.frozen.clone(), Arc::clone(&state.segments))
    };
    if let Some(frozen) = frozen {
        scan.head(&frozen.head, visitor)?;
    }
    for segment in segments.iter().filter(|s| s.overlaps(selection.range)) {
        scan.segment(segment, visitor)?;
    }
    Ok(Scanned { windows: scan.windows, segments })
}

impl Scan<'_> {
    fn wants(&self, series: &SeriesKey) -> bool {
        series.value_type == self.selection.value_type && self.selection.matches(&series.labels)
    }

    fn head(&mut self, head: &Head, visitor: &mut dyn Visitor) -> Result<(), StoreError> {
        let range = self.selection.range;
        for (hash, key) in head.tables.series() {
            if self.wants(&key) {
                self.series.add(hash, key);
            }
        }
        for window in head.windows().filter(|w| w.is_of(&self.selection.value_type)) {
            if range.overlaps(window.start_ms, window.duration_ms) {
                self.windows.add(window.start_ms, window.duration_ms);
            }
        }
        for fact in head.facts_in(range) {
            self.series.show(&fact, visitor);
        }
        visitor.head_done(head);
        self.budget.check(visitor.rows())
    }

    fn segment(&mut self, segment: &Segment, visitor: &mut dyn Visitor) -> Result<(), StoreError> {
        let range = self.selection.range;
        for window in segment.windows()? {
            if window.is_of(&self.selection.value_type)
                && range.overlaps(window.start_ms, window.duration_ms)
            {
                self.windows.add(window.start_ms, window.duration_ms);
            }
        }
        let mut wanted = Vec::new();
        segment.series(&mut |hash, key| {
            if self.wants(&key) {
                self.series.add(hash, key);
                wanted.push(hash);
            }
            Ok(())
        })?;
        wanted.sort_unstable();
        let filter = FactsFilter { range, series: &wanted };
        segment.facts(&filter, &mut |facts| {
            for fact in facts {
                self.series.show(fact, visitor);
            }
            self.budget.check(visitor.rows())
        })
    }
}
