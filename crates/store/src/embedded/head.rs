//! What the write-ahead log holds and no segment does yet, in memory.

use std::collections::{BTreeMap, BTreeSet};

use infrared_profile::{Profile, Sample, ValueType};

use super::ids::{SeriesHash, StackHash};
use super::layout::PartitionId;
use super::tables::{Remap, Tables};
use crate::TimeRange;

/// One row: `series` spent `value` in `stack` in the window that starts at `start_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fact {
    pub(super) series: SeriesHash,
    pub(super) start_ms: i64,
    pub(super) stack: StackHash,
    pub(super) duration_ms: u32,
    pub(super) value: u64,
}

/// The facts of one profile, which share its window.
#[derive(Debug)]
struct Batch {
    start_ms: i64,
    duration_ms: u32,
    facts: Box<[HeadFact]>,
}

#[derive(Clone, Copy, Debug)]
struct HeadFact {
    series: u32,
    stack: u32,
    value: u64,
}

/// A recorded window, whether it had samples or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Window {
    pub(super) start_ms: i64,
    pub(super) duration_ms: u32,
    pub(super) value_type: (String, String),
}

impl Window {
    pub(super) fn is_of(&self, value_type: &ValueType) -> bool {
        self.value_type.0 == value_type.kind && self.value_type.1 == value_type.unit
    }
}

/// The window of a profile in milliseconds. A window has at least one, so that its samples belong to a time.
pub(super) fn window_of(profile: &Profile) -> (i64, u32) {
    let start_ms = (profile.start_ns / 1_000_000) as i64;
    let end_ms = (profile.start_ns.saturating_add(profile.duration_ns) / 1_000_000) as i64;
    (start_ms, u32::try_from((end_ms - start_ms).max(1)).unwrap_or(u32::MAX))
}

#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) tables: Tables,
    batches: BTreeMap<PartitionId, Vec<Batch>>,
    windows: BTreeSet<Window>,
    rows: usize,
}

impl Head {
    /// Takes in the profiles whose partition `accepts`.
    pub(super) fn apply(&mut self, profiles: &[Profile], accepts: impl Fn(PartitionId) -> bool) {
        for profile in profiles {
            let (start_ms, duration_ms) = window_of(profile);
            let partition = PartitionId::of(start_ms);
            if !accepts(partition) {
                continue;
            }
            let value_type = (profile.value_type.kind.clone(), profile.value_type.unit.clone());
            self.windows.insert(Window { start_ms, duration_ms, value_type });
            let remap = Remap::absorb(&mut self.tables, profile);
            let fact = |sample: &Sample| {
                let (series, stack) =
                    (remap.series(sample.series.0)?, remap.stack(sample.stack.0)?);
                Some(HeadFact { series, stack, value: sample.value })
            };
            let facts: Box<[HeadFact]> = profile.samples.iter().filter_map(fact).collect();
            self.rows += facts.len();
            let batches = self.batches.entry(partition).or_default();
            batches.push(Batch { start_ms, duration_ms, facts });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Rough heap use.
    pub(super) fn bytes(&self) -> usize {
        self.tables.bytes() + self.rows * size_of::<HeadFact>()
    }

    pub(super) fn partitions(&self) -> BTreeSet<PartitionId> {
        self.windows.iter().map(|w| PartitionId::of(w.start_ms)).collect()
    }

    pub(super) fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter()
    }

    pub(super) fn range(&self) -> Option<TimeRange> {
        let from_ms = self.windows.first()?.start_ms;
        let to_ms = self.windows.iter().map(|w| w.start_ms + i64::from(w.duration_ms)).max()?;
        Some(TimeRange { from_ms, to_ms })
    }

    /// The facts whose windows overlap `range`.
    pub(super) fn facts_in(&self, range: TimeRange) -> impl Iterator<Item = Fact> {
        self.batches
            .values()
            .flatten()
            .filter(move |batch| range.overlaps(batch.start_ms, batch.duration_ms))
            .flat_map(|batch| self.facts_of(batch))
    }

    /// The facts of one partition, sorted, equal keys summed.
    pub(super) fn sorted_facts(&self, partition: PartitionId) -> Vec<Fact> {
        let batches = self.batches.get(&partition).into_iter().flatten();
        sort_and_sum(batches.flat_map(|batch| self.facts_of(batch)).collect())
    }

    fn facts_of(&self, batch: &Batch) -> impl Iterator<Item = Fact> {
        batch.facts.iter().filter_map(|fact| {
            Some(Fact {
                series: self.tables.series_hash(fact.series)?,
                start_ms: batch.start_ms,
                stack: self.tables.stack_hash(fact.stack)?,
                duration_ms: batch.duration_ms,
                value: fact.value,
            })
        })
    }
}

/// Sorts facts by (series, start, stack) and sums those that agree in all but the value.
pub(super) fn sort_and_sum(mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.sort_unstable();
    facts.dedup_by(|next, kept| {
        let same = (next.series, next.start_ms, next.stack, next.duration_ms)
            == (kept.series, kept.start_ms, kept.stack, kept.duration_ms);
        if same {
            kept.value = kept.value.saturating_add(next.value);
        }
        same
    });
    facts
}
