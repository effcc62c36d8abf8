//! Rounds of maintenance: flush, retention, compaction. One at a time.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::flush::{Known, compact, compactable, remove_logs, write_head};
use super::layout::{PartitionId, Sequence, Span};
use super::segment::Segment;
use super::wal::Wal;
use super::{Frozen, Shared};
use crate::{Maintenance, StoreError};

/// How often the clock is looked at.
const ROUND: Duration = Duration::from_secs(10);

pub(super) fn spawn(shared: &Arc<Shared>) -> Result<std::thread::JoinHandle<()>, StoreError> {
    let worker = Arc::clone(shared);
    let thread = std::thread::Builder::new().name("store-maintain".into());
    let run = move || {
        while worker.wake.wait(ROUND) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            if let Err(error) = round(&worker, now.as_millis() as i64) {
                tracing::warn!(%error, "store maintenance failed; it will be tried again");
            }
        }
    };
    thread.spawn(run).map_err(|e| StoreError::io("start a thread for", shared.layout.root(), e))
}

pub(super) fn round(shared: &Shared, now_ms: i64) -> Result<Maintenance, StoreError> {
    let mut known = shared.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
    // Retention comes first: on a full disk it makes the room that the flush needs.
    let partitions_dropped = retain(shared, &mut known, now_ms);
    let result = flush_if_due(shared, &mut known).and_then(|()| compact_past(shared, now_ms));
    if result.is_err() {
        shared.counters.maintenance_failed.fetch_add(1, Ordering::Relaxed);
    }
    Ok(Maintenance { partitions_dropped, segments_compacted: result? })
}

pub(super) fn flush(shared: &Shared) -> Result<(), StoreError> {
    let mut known = shared.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
    let result = flush_now(shared, &mut known);
    if result.is_err() {
        shared.counters.maintenance_failed.fetch_add(1, Ordering::Relaxed);
    }
    result
}

fn flush_if_due(shared: &Shared, known: &mut Known) -> Result<(), StoreError> {
    let due = {
        let gate = shared.gate();
        let state = shared.state();
        let large = gate.wal.bytes() >= shared.options.flush_bytes
            || state.active.bytes() * 2 >= shared.options.max_head_bytes;
        let old = gate.since.elapsed() >= shared.options.flush_age;
        state.frozen.is_some() || (!state.active.is_empty() && (large || old))
    };
    if due { flush_now(shared, known) } else { Ok(()) }
}

fn flush_now(shared: &Shared, known: &mut Known) -> Result<(), StoreError> {
    if shared.state().frozen.is_none() {
        freeze(shared)?;
    }
    let Some(frozen) = shared.state().frozen.clone() else { return Ok(()) };
    let written = write_head(shared, &frozen, known)?;
    {
        let mut state = shared.state_mut();
        let mut segments: Vec<_> = state.segments.iter().cloned().chain(written).collect();
        segments.sort_by_key(|s| (s.partition, s.name));
        state.segments = Arc::new(segments);
        state.frozen = None;
    }
    remove_logs(shared, frozen.span)
}

/// Makes the active head the frozen one, and starts a new log.
fn freeze(shared: &Shared) -> Result<(), StoreError> {
    let mut gate = shared.gate_mut();
    if shared.state().active.is_empty() {
        return Ok(());
    }
    let next = Sequence(gate.sequence.0 + 1);
    let wal = Wal::create(&shared.layout, next)?;
    let span = Span { first: gate.first, last: gate.sequence };
    gate.wal = wal;
    gate.sequence = next;
    gate.first = next;
    gate.since = Instant::now();
    let mut state = shared.state_mut();
    let head = std::mem::take(&mut state.active);
    state.frozen = Some(Arc::new(Frozen { head, span }));
    Ok(())
}

/// Drops the hours that are too old, then the oldest ones while there are too many bytes.
fn retain(shared: &Shared, known: &mut Known, now_ms: i64) -> usize {
    let retention = shared.options.retention;
    let mut state = shared.state_mut();
    let mut hours: BTreeSet<PartitionId> = state.segments.iter().map(|s| s.partition).collect();
    let newest = hours.pop_last();
    let mut dropped = BTreeSet::new();
    if let Some(age) = retention.age {
        let oldest_ms = now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let expired = |hour: &PartitionId| hour.end_ms() <= oldest_ms;
        dropped.extend(hours.iter().copied().chain(newest).filter(expired));
    }
    if let Some(limit) = retention.bytes {
        let kept = state.segments.iter().filter(|s| !dropped.contains(&s.partition));
        let mut bytes: u64 = kept.map(|s| s.bytes).sum();
        for hour in hours {
            if bytes <= limit {
                break;
            }
            if dropped.insert(hour) {
                let of_hour = state.segments.iter().filter(|s| s.partition == hour);
                bytes -= of_hour.map(|s| s.bytes).sum::<u64>();
            }
        }
    }
    let (gone, kept) = state
        .segments
        .iter()
        .cloned()
        .partition::<Vec<Arc<Segment>>, _>(|s| dropped.contains(&s.partition));
    if !gone.is_empty() {
        state.segments = Arc::new(kept);
        for segment in &gone {
            segment.condemn();
        }
    }
    drop(state);
    for hour in &dropped {
        known.forget(*hour);
    }
    dropped.len()
}

/// Merges the segments of hours that are over. Returns how many segments were merged away.
fn compact_past(shared: &Shared, now_ms: i64) -> Result<usize, StoreError> {
    let settled_ms = i64::try_from(2 * shared.options.flush_age.as_millis()).unwrap_or(i64::MAX);
    let past: Vec<Arc<Segment>> = {
        let state = shared.state();
        let over = |s: &&Arc<Segment>| s.partition.end_ms().saturating_add(settled_ms) <= now_ms;
        state.segments.iter().filter(over).cloned().collect()
    };
    let mut merged_away = 0;
    for run in compactable(&past, shared.options.compact_rows) {
        let merged = compact(shared, &run)?;
        let mut state = shared.state_mut();
        let replaced = |s: &Arc<Segment>| run.iter().any(|old| Arc::ptr_eq(old, s));
        let kept = state.segments.iter().filter(|s| !replaced(s)).cloned();
        let mut segments: Vec<_> = kept.chain([merged]).collect();
        segments.sort_by_key(|s| (s.partition, s.name));
        state.segments = Arc::new(segments);
        drop(state);
        for segment in &run {
            segment.condemn();
        }
        merged_away += run.len();
    }
    Ok(merged_away)
}
