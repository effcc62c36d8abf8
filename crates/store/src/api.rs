//! The trait that every engine implements.

use std::collections::BTreeMap;
use std::fmt::Debug;

use infrared_profile::{Profile, Series, labels};

use crate::{
    Budget, Coverage, Query, Selected, Selection, StoreError, TimeRange, Timeline, TimelineSpec,
};

/// The sum of one series over a selection.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesTotal {
    pub labels: Series,
    /// Nanoseconds that a value of 1 stands for; 0 where the type is no time.
    pub period_ns: u64,
    pub value: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SeriesTotals {
    pub series: Vec<SeriesTotal>,
    pub coverage: Coverage,
}

/// What a round of maintenance did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintenance {
    pub partitions_dropped: usize,
    pub segments_compacted: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Files on disk.
    pub bytes: u64,
    pub segments: usize,
    /// Rows in segments.
    pub rows: u64,
    /// Rows in memory that the write-ahead log holds.
    pub head_rows: usize,
    /// Writes acknowledged since the start.
    pub writes: u64,
    /// Writes refused since the start, because the disk was full or failed.
    pub writes_failed: u64,
    /// Flushes and compactions that failed and will be tried again.
    pub maintenance_failed: u64,
    /// Segments that could not be read at start-up and were left out.
    pub damaged_segments: u64,
    /// Bytes at the end of the log that were not acknowledged and were dropped at start-up.
    pub log_bytes_dropped: u64,
    /// Age limit in seconds, 0 if there is none.
    pub retention_s: u64,
}

/// Keeps profiles and answers questions about them. Methods block: call them from a thread that may.
pub trait ProfileStore: Debug + Send + Sync {
    /// Stores all of `profiles` or none. `Ok` means durable.
    fn write(&self, profiles: &[Profile]) -> Result<(), StoreError>;

    /// Merges the samples of a selection.
    fn select(&self, query: &Query) -> Result<Selected, StoreError>;

    /// The selection's weight over time.
    fn timeline(
        &self,
        selection: &Selection,
        spec: &TimelineSpec,
        budget: &Budget,
    ) -> Result<Timeline, StoreError>;

    /// The total of each series; reads no stacks.
    fn series_totals(
        &self,
        selection: &Selection,
        budget: &Budget,
    ) -> Result<SeriesTotals, StoreError>;

    /// From the first window's start to the last one's end; `None` if nothing is stored.
    fn range(&self) -> Option<TimeRange>;

    /// Drops what is too old or too much, and tidies up. `now_ms` is Unix time.
    fn maintain(&self, now_ms: i64) -> Result<Maintenance, StoreError>;

    fn stats(&self) -> Stats;

    /// Names of the services in a selection, sorted.
    fn services(&self, selection: &Selection, budget: &Budget) -> Result<Vec<String>, StoreError> {
        let totals = self.series_totals(selection, budget)?;
        let names = label_values(&totals).remove(labels::SERVICE).unwrap_or_default();
        Ok(names.into_keys().collect())
    }

    /// Label name → value → weight (value × period, or the plain value).
    fn label_values(
        &self,
        selection: &Selection,
        budget: &Budget,
    ) -> Result<BTreeMap<String, BTreeMap<String, f64>>, StoreError> {
        Ok(label_values(&self.series_totals(selection, budget)?))
    }
}

impl SeriesTotal {
    /// Value × period in nanoseconds; the plain value for types without a period.
    pub fn weight(&self) -> f64 {
        self.value as f64 * self.period_ns.max(1) as f64
    }
}

/// Label name → value → weight of the series that have it.
pub fn label_values(totals: &SeriesTotals) -> BTreeMap<String, BTreeMap<String, f64>> {
    let mut names: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for total in &totals.series {
        for (name, value) in &total.labels {
            *names.entry(name.clone()).or_default().entry(value.clone()).or_default() +=
                total.weight();
        }
    }
    names
}
