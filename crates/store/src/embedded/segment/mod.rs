//! A segment: an immutable directory of five Parquet files, facts and the dictionaries they need.
//!
//! | file | a row is |
//! | --- | --- |
//! | `facts` | (window, series, stack) → value, sorted by series, window, stack |
//! | `windows` | a recorded window of a value type |
//! | `series` | labels, value type and period of a series id |
//! | `stacks` | the location ids of a stack id, leaf first |
//! | `locations` | a location id's module, address, kind and lines |
//!
//! `stacks` and `locations` hold only what no earlier segment of the same hour holds; the other files stand alone.

mod columns;
mod read;
mod write;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) use read::{FactsFilter, LocationRow, RowText};
pub(super) use write::{LocationSink, SeriesSink, Source, StackSink, Target, write};

use super::layout::{PartitionId, SegmentName};
use crate::{StoreError, TimeRange};

const FACTS: &str = "facts.parquet";
const WINDOWS: &str = "windows.parquet";
const SERIES: &str = "series.parquet";
const STACKS: &str = "stacks.parquet";
const LOCATIONS: &str = "locations.parquet";
const FILES: [&str; 5] = [FACTS, WINDOWS, SERIES, STACKS, LOCATIONS];

/// What is known of a segment without reading its rows.
#[derive(Debug)]
pub(super) struct Segment {
    dir: PathBuf,
    pub(super) partition: PartitionId,
    pub(super) name: SegmentName,
    /// Segments of the same hour whose rows are in this one.
    pub(super) replaces: Vec<SegmentName>,
    pub(super) range: TimeRange,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    condemned: AtomicBool,
}

impl Segment {
    pub(super) fn open(
        dir: &Path,
        partition: PartitionId,
        name: SegmentName,
    ) -> Result<Self, StoreError> {
        let mut bytes = 0;
        for file in FILES {
            let path = dir.join(file);
            let metadata = fs::metadata(&path).map_err(|e| StoreError::io("open", &path, e))?;
            bytes += metadata.len();
        }
        let summary = read::summary(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            partition,
            name,
            replaces: summary.replaces,
            range: summary.range,
            rows: summary.rows,
            bytes,
            condemned: AtomicBool::new(false),
        })
    }

    pub(super) fn overlaps(&self, range: TimeRange) -> bool {
        self.range.from_ms < range.to_ms && self.range.to_ms > range.from_ms
    }

    /// Removes the files as soon as no reader holds the segment any more.
    pub(super) fn condemn(&self) {
        self.condemned.store(true, Ordering::Release);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if !self.condemned.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "cannot remove a segment; the next start will");
        }
        if let Some(partition) = self.dir.parent()
            && fs::remove_dir(partition).is_err()
        {
            tracing::trace!(dir = %partition.display(), "the partition still has segments");
        }
    }
}
