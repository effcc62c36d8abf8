//! Turns the head into segments, and many segments of a past hour into one.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::sync::Arc;

use infrared_profile::LocationId;

use super::head::{Fact, Head, Window, sort_and_sum};
use super::ids::{LocationHash, SeriesHash, StackHash};
use super::layout::{PartitionId, SegmentName, Span, sync_dir};
use super::segment::{
    FactsFilter, LocationRow, LocationSink, Segment, SeriesSink, Source, StackSink, Target, write,
};
use super::{Frozen, Shared};
use crate::{StoreError, TimeRange};

/// Dictionary entries that segments of an hour already hold, so that they are not written again. A cache: what it
/// forgets is written twice, and once again after the hour is compacted.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<PartitionId, KnownIds>);

#[derive(Debug, Default)]
struct KnownIds {
    stacks: HashSet<StackHash>,
    locations: HashSet<LocationHash>,
}

const KNOWN_PARTITIONS: usize = 3;
const KNOWN_IDS: usize = 2_000_000;

impl Known {
    /// For an hour whose segments are gone.
    pub(super) fn forget(&mut self, partition: PartitionId) {
        self.0.remove(&partition);
    }

    /// Forgets the oldest hours, and everything when there is too much.
    fn trim(&mut self) {
        while self.0.len() > KNOWN_PARTITIONS
            && let Some(oldest) = self.0.keys().min().copied()
        {
            self.0.remove(&oldest);
        }
        if self.0.values().map(|k| k.stacks.len() + k.locations.len()).sum::<usize>() > KNOWN_IDS {
            self.0.clear();
        }
    }
}

/// Writes the segments of a frozen head. Those that an earlier, failed attempt left whole are taken as they are.
pub(super) fn write_head(
    shared: &Shared,
    frozen: &Frozen,
    known: &mut Known,
) -> Result<Vec<Arc<Segment>>, StoreError> {
    let mut segments = Vec::new();
    for partition in frozen.head.partitions() {
        let name = SegmentName { span: frozen.span, generation: 0 };
        let dir = shared.layout.segment_dir(partition, name);
        let segment = if dir.exists() {
            Segment::open(&dir, partition, name)?
        } else {
            let ids = known.0.entry(partition).or_default();
            let source = HeadSource::new(&frozen.head, partition, ids);
            let segment = write(&Target { dir: &dir, partition, name, replaces: &[] }, &source)?;
            let (stacks, locations) = (source.new_stacks, source.new_locations);
            ids.stacks.extend(stacks.into_keys());
            ids.locations.extend(locations.into_keys());
            segment
        };
        segments.push(Arc::new(segment));
    }
    known.trim();
    Ok(segments)
}

struct HeadSource<'h> {
    head: &'h Head,
    partition: PartitionId,
    facts: Vec<Fact>,
    new_stacks: HashMap<StackHash, u32>,
    new_locations: HashMap<LocationHash, LocationId>,
}

impl<'h> HeadSource<'h> {
    fn new(head: &'h Head, partition: PartitionId, known: &KnownIds) -> Self {
        let facts = head.sorted_facts(partition);
        let mut new_stacks = HashMap::new();
        let mut new_locations = HashMap::new();
        for fact in &facts {
            if known.stacks.contains(&fact.stack) || new_stacks.contains_key(&fact.stack) {
                continue;
            }
            let Some(id) = head.tables.stack_of_hash(fact.stack) else { continue };
            new_stacks.insert(fact.stack, id);
            for location in head.tables.frames(id) {
                let hash = head.tables.location_hash(*location);
                new_locations.extend(hash.map(|hash| (hash, *location)));
            }
        }
        new_locations.retain(|hash, _| !known.locations.contains(hash));
        Self { head, partition, facts, new_stacks, new_locations }
    }
}

impl Source for HeadSource<'_> {
    fn facts(&self) -> Result<Cow<'_, [Fact]>, StoreError> {
        Ok(Cow::Borrowed(&self.facts))
    }

    fn windows(&self) -> Result<BTreeSet<Window>, StoreError> {
        let windows = self.head.windows();
        Ok(windows.filter(|w| PartitionId::of(w.start_ms) == self.partition).cloned().collect())
    }

    fn series(&self, each: &mut SeriesSink<'_>) -> Result<(), StoreError> {
        let used: HashSet<SeriesHash> = self.facts.iter().map(|f| f.series).collect();
        for (hash, key) in self.head.tables.series() {
            if used.contains(&hash) {
                each(hash, &key)?;
            }
        }
        Ok(())
    }

    fn stacks(&self, each: &mut StackSink<'_>) -> Result<(), StoreError> {
        let tables = &self.head.tables;
        for (hash, id) in &self.new_stacks {
            let locations = tables.frames(*id).iter().filter_map(|l| tables.location_hash(*l));
            each(*hash, locations.collect())?;
        }
        Ok(())
    }

    fn locations(&self, each: &mut LocationSink<'_>) -> Result<(), StoreError> {
        let rows = self.new_locations.iter();
        rows.filter_map(|(hash, id)| LocationRow::of(&self.head.tables, *hash, *id))
            .try_for_each(each)
    }
}

/// Runs of neighbouring segments of one hour that fit together into `max_rows`.
pub(super) fn compactable(segments: &[Arc<Segment>], max_rows: u64) -> Vec<Vec<Arc<Segment>>> {
    let mut runs: Vec<Vec<Arc<Segment>>> = Vec::new();
    let mut rows = 0;
    for segment in segments {
        rows += segment.rows;
        match runs.last_mut() {
            Some(run) if rows <= max_rows && run[0].partition == segment.partition => {
                run.push(Arc::clone(segment));
            }
            _ => {
                rows = segment.rows;
                runs.push(vec![Arc::clone(segment)]);
            }
        }
    }
    runs.retain(|run| run.len() > 1);
    runs
}

/// Writes one segment that holds what `run` holds.
pub(super) fn compact(shared: &Shared, run: &[Arc<Segment>]) -> Result<Arc<Segment>, StoreError> {
    let replaces: Vec<SegmentName> = run.iter().map(|s| s.name).collect();
    let newest = replaces.iter().max_by_key(|name| name.span.last);
    let (Some(first), Some(oldest), Some(newest)) = (run.first(), replaces.iter().min(), newest)
    else {
        return Err(StoreError::InvalidQuery("there is nothing to merge".into()));
    };
    let partition = first.partition;
    let span = Span { first: oldest.span.first, last: newest.span.last };
    let generation = replaces.iter().map(|name| name.generation).max().unwrap_or(0) + 1;
    let mut name = SegmentName { span, generation };
    while shared.layout.segment_dir(partition, name).exists() {
        name.generation += 1;
    }
    let dir = shared.layout.segment_dir(partition, name);
    let target = Target { dir: &dir, partition, name, replaces: &replaces };
    Ok(Arc::new(write(&target, &MergedSource(run))?))
}

struct MergedSource<'s>(&'s [Arc<Segment>]);

impl Source for MergedSource<'_> {
    fn facts(&self) -> Result<Cow<'_, [Fact]>, StoreError> {
        let mut facts = Vec::new();
        for segment in self.0 {
            let mut series = Vec::new();
            segment.series(&mut |hash, _| {
                series.push(hash);
                Ok(())
            })?;
            series.sort_unstable();
            let range = TimeRange { from_ms: i64::MIN, to_ms: i64::MAX };
            segment.facts(&FactsFilter { range, series: &series }, &mut |rows| {
                facts.extend_from_slice(rows);
                Ok(())
            })?;
        }
        Ok(Cow::Owned(sort_and_sum(facts)))
    }

    fn windows(&self) -> Result<BTreeSet<Window>, StoreError> {
        let mut all = BTreeSet::new();
        for segment in self.0 {
            all.extend(segment.windows()?);
        }
        Ok(all)
    }

    fn series(&self, each: &mut SeriesSink<'_>) -> Result<(), StoreError> {
        self.0.iter().try_for_each(|s| s.series(&mut |hash, key| each(hash, &key)))
    }

    fn stacks(&self, each: &mut StackSink<'_>) -> Result<(), StoreError> {
        self.0.iter().try_for_each(|segment| segment.stacks(&|_| true, each))
    }

    fn locations(&self, each: &mut LocationSink<'_>) -> Result<(), StoreError> {
        self.0.iter().try_for_each(|segment| segment.locations(&|_| true, each))
    }
}

/// Removes the log files that `span` covers: segments hold what they held.
pub(super) fn remove_logs(shared: &Shared, span: Span) -> Result<(), StoreError> {
    for (sequence, path) in shared.layout.wal_files()? {
        if span.covers(sequence) {
            fs::remove_file(&path).map_err(|e| StoreError::io("remove", &path, e))?;
        }
    }
    sync_dir(&shared.layout.wal_dir())
}
