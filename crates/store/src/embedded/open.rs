//! Start-up: takes the lock, tidies up after a crash, opens the segments, reads the log back.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use super::head::Head;
use super::layout::{Layout, PartitionId, SegmentName, Sequence, segments_in};
use super::segment::Segment;
use super::wal::{Wal, replay};
use super::{Counters, Gate, Options, Shared, State, Wake, codec, flush};
use crate::StoreError;

pub(super) fn open(path: &Path, options: Options) -> Result<Shared, StoreError> {
    let layout = Layout::open(path)?;
    let counters = Counters::default();
    let segments = open_segments(&layout, &counters)?;
    let logs = layout.wal_files()?;
    let mut head = Head::default();
    for (sequence, path) in &logs {
        read_log(&mut head, path, *sequence, &segments, &counters)?;
    }
    let used = segments.iter().map(|s| s.name.span.last).chain(logs.iter().map(|(s, _)| *s)).max();
    let sequence = Sequence(used.map_or(1, |s| s.0 + 1));
    let first = logs.first().map_or(sequence, |(s, _)| *s);
    let wal = Wal::create(&layout, sequence)?;
    Ok(Shared {
        options,
        maintenance: Mutex::new(flush::Known::default()),
        gate: RwLock::new(Gate { wal, sequence, first, since: Instant::now() }),
        state: RwLock::new(State { active: head, frozen: None, segments: Arc::new(segments) }),
        counters,
        wake: Wake::default(),
        layout,
    })
}

fn read_log(
    head: &mut Head,
    path: &Path,
    sequence: Sequence,
    segments: &[Arc<Segment>],
    counters: &Counters,
) -> Result<(), StoreError> {
    // A crash between the last segment's rename and the log's removal: the hours that are done are not read twice.
    let done = |hour: PartitionId| {
        segments.iter().any(|s| s.partition == hour && s.name.span.covers(sequence))
    };
    let replayed = replay(path, |payload| {
        let profiles = codec::decode(payload).map_err(|e| e.to_string())?;
        head.apply(&profiles, |hour| !done(hour));
        Ok(())
    })?;
    if replayed.dropped_bytes > 0 {
        let (path, bytes) = (path.display(), replayed.dropped_bytes);
        tracing::warn!(%path, bytes, "the log ends in a write that was never acknowledged; dropped");
        counters.log_bytes_dropped.fetch_add(replayed.dropped_bytes, Ordering::Relaxed);
    }
    tracing::debug!(path = %path.display(), records = replayed.records, "log read");
    Ok(())
}

fn open_segments(layout: &Layout, counters: &Counters) -> Result<Vec<Arc<Segment>>, StoreError> {
    let mut segments = Vec::new();
    for (partition, dir) in layout.partitions()? {
        remove_unfinished(&dir)?;
        let mut of_hour: Vec<Segment> = Vec::new();
        for (name, path) in segments_in(&dir)? {
            match Segment::open(&path, partition, name) {
                Ok(segment) => of_hour.push(segment),
                Err(error) => {
                    tracing::error!(%error, "a segment cannot be read; its data are left out");
                    counters.damaged_segments.fetch_add(1, Ordering::Relaxed);
                    set_aside(&path)?;
                }
            }
        }
        let replaced: HashSet<SegmentName> =
            of_hour.iter().flat_map(|s| s.replaces.iter().copied()).collect();
        let (gone, kept): (Vec<_>, Vec<_>) =
            of_hour.into_iter().partition(|s| replaced.contains(&s.name));
        gone.iter().for_each(Segment::condemn);
        segments.extend(kept.into_iter().map(Arc::new));
    }
    Ok(segments)
}

/// Out of the way of a later compaction, which would otherwise take the directory for one that it replaced.
fn set_aside(dir: &Path) -> Result<(), StoreError> {
    let mut aside = dir.as_os_str().to_owned();
    aside.push(".damaged");
    fs::rename(dir, &aside).map_err(|e| StoreError::io("rename", dir, e))
}

fn remove_unfinished(dir: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(dir).map_err(|e| StoreError::io("list", dir, e))? {
        let path = entry.map_err(|e| StoreError::io("list", dir, e))?.path();
        if path.extension().is_some_and(|e| e == "tmp") {
            fs::remove_dir_all(&path).map_err(|e| StoreError::io("remove", &path, e))?;
        }
    }
    Ok(())
}
