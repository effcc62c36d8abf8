//! The engine that needs no set-up: a write-ahead log, and immutable Parquet segments by hour.
//!
//! A write goes to the log (durable) and into the head (memory). Maintenance turns the head into segments, merges the
//! segments of a past hour, and removes whole hours for retention. Readers see head and segments as one.
//!
//! Locks, always taken in this order: `maintenance`, `gate`, `state`.

mod codec;
mod flush;
mod head;
mod ids;
mod layout;
mod maintain;
mod open;
mod scan;
mod segment;
mod select;
mod series;
mod tables;
mod wal;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use infrared_profile::Profile;

use head::Head;
use layout::{Layout, Sequence, Span};
use segment::Segment;
use wal::Wal;

use crate::{
    Budget, Maintenance, ProfileStore, Query, Selected, Selection, SeriesTotals, Stats, StoreError,
    TimeRange, Timeline, TimelineSpec,
};

/// What is dropped, whole hours at a time. The newest hour always stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    pub age: Option<Duration>,
    /// Files on disk.
    pub bytes: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub retention: Retention,
    /// The head becomes segments when its log has this size ...
    pub flush_bytes: u64,
    /// ... or this age.
    pub flush_age: Duration,
    /// Writes are refused while the head holds this much and cannot be flushed.
    pub max_head_bytes: usize,
    /// Segments are merged up to this many rows; a merge holds them in memory (40 bytes each).
    pub compact_rows: u64,
    /// Run maintenance on a thread of its own.
    pub background: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention: Retention::default(),
            flush_bytes: 4 << 20,
            flush_age: Duration::from_mins(10),
            max_head_bytes: 256 << 20,
            compact_rows: 2_000_000,
            background: true,
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    maintenance: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    maintenance: Mutex<flush::Known>,
    /// Writers hold it shared from the log append until the head has the rows; a new log takes it alone.
    gate: RwLock<Gate>,
    state: RwLock<State>,
    counters: Counters,
    wake: Wake,
    layout: Layout,
}

#[derive(Debug)]
struct Gate {
    wal: Wal,
    sequence: Sequence,
    /// The first log of what is in the active head.
    first: Sequence,
    since: Instant,
}

#[derive(Debug)]
struct State {
    active: Head,
    /// Being written to segments. Never changes.
    frozen: Option<Arc<Frozen>>,
    /// By hour, then by span.
    segments: Arc<Vec<Arc<Segment>>>,
}

#[derive(Debug)]
struct Frozen {
    head: Head,
    span: Span,
}

#[derive(Debug, Default)]
struct Counters {
    writes: AtomicU64,
    writes_failed: AtomicU64,
    maintenance_failed: AtomicU64,
    damaged_segments: AtomicU64,
    log_bytes_dropped: AtomicU64,
}

/// Asks the maintenance thread for a round, or to stop.
#[derive(Debug, Default)]
struct Wake {
    asked: Mutex<bool>,
    signal: Condvar,
    stop: AtomicBool,
}

impl Wake {
    fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.signal.notify_one();
    }

    /// Waits for a request, at most `timeout`. Returns false when it is time to stop.
    fn wait(&self, timeout: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let stop = || self.stop.load(Ordering::Acquire);
        let waited = self.signal.wait_timeout_while(asked, timeout, |asked| !*asked && !stop());
        let (mut asked, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *asked = false;
        !stop()
    }
}

impl Shared {
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self) -> RwLockReadGuard<'_, Gate> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate_mut(&self) -> RwLockWriteGuard<'_, Gate> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, profiles: &[Profile]) -> Result<(), StoreError> {
        let payload = codec::encode(profiles)
            .map_err(|bytes| StoreError::BatchTooLarge { bytes, limit: codec::MAX_BATCH_BYTES })?;
        if self.state().active.bytes() > self.options.max_head_bytes {
            self.wake.ask();
            return Err(StoreError::Full { path: self.layout.root().to_owned() });
        }
        self.replace_broken_log()?;
        let gate = self.gate();
        gate.wal.append(&payload)?;
        self.state_mut().active.apply(profiles, |_| true);
        if gate.wal.bytes() >= self.options.flush_bytes {
            self.wake.ask();
        }
        Ok(())
    }

    /// A log that failed takes no more records: what it acknowledged stays in it, and a new one follows.
    fn replace_broken_log(&self) -> Result<(), StoreError> {
        if !self.gate().wal.is_broken() {
            return Ok(());
        }
        let mut gate = self.gate_mut();
        if gate.wal.is_broken() {
            let next = Sequence(gate.sequence.0 + 1);
            gate.wal = Wal::create(&self.layout, next)?;
            gate.sequence = next;
        }
        Ok(())
    }
}

impl EmbeddedStore {
    /// Opens or creates the data directory `path`; reads back what the log holds.
    pub fn open(path: impl Into<PathBuf>, options: Options) -> Result<Self, StoreError> {
        let background = options.background;
        let shared = Arc::new(open::open(&path.into(), options)?);
        let maintenance = if background { Some(maintain::spawn(&shared)?) } else { None };
        Ok(Self { shared, maintenance })
    }

    /// Turns the head into segments now.
    pub fn flush(&self) -> Result<(), StoreError> {
        maintain::flush(&self.shared)
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.shared.wake.stop.store(true, Ordering::Release);
        self.shared.wake.ask();
        if let Some(thread) = self.maintenance.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's maintenance thread panicked");
        }
    }
}

impl ProfileStore for EmbeddedStore {
    fn write(&self, profiles: &[Profile]) -> Result<(), StoreError> {
        let result = self.shared.write(profiles);
        let counters = &self.shared.counters;
        let counter = if result.is_ok() { &counters.writes } else { &counters.writes_failed };
        counter.fetch_add(1, Ordering::Relaxed);
        result
    }

    fn select(&self, query: &Query) -> Result<Selected, StoreError> {
        select::select(&self.shared, query)
    }

    fn timeline(
        &self,
        selection: &Selection,
        spec: &TimelineSpec,
        budget: &Budget,
    ) -> Result<Timeline, StoreError> {
        series::timeline(&self.shared, selection, spec, budget)
    }

    fn series_totals(
        &self,
        selection: &Selection,
        budget: &Budget,
    ) -> Result<SeriesTotals, StoreError> {
        series::totals(&self.shared, selection, budget)
    }

    fn range(&self) -> Option<TimeRange> {
        let state = self.shared.state();
        let heads = [Some(&state.active), state.frozen.as_deref().map(|f| &f.head)];
        let heads = heads.into_iter().flatten().filter_map(Head::range);
        heads.chain(state.segments.iter().map(|s| s.range)).reduce(|a, b| TimeRange {
            from_ms: a.from_ms.min(b.from_ms),
            to_ms: a.to_ms.max(b.to_ms),
        })
    }

    fn maintain(&self, now_ms: i64) -> Result<Maintenance, StoreError> {
        maintain::round(&self.shared, now_ms)
    }

    fn stats(&self) -> Stats {
        let counters = &self.shared.counters;
        let log_bytes = self.shared.gate().wal.bytes();
        let state = self.shared.state();
        let frozen_rows = state.frozen.as_ref().map_or(0, |f| f.head.rows());
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            bytes: log_bytes + state.segments.iter().map(|s| s.bytes).sum::<u64>(),
            segments: state.segments.len(),
            rows: state.segments.iter().map(|s| s.rows).sum(),
            head_rows: state.active.rows() + frozen_rows,
            writes: read(&counters.writes),
            writes_failed: read(&counters.writes_failed),
            maintenance_failed: read(&counters.maintenance_failed),
            damaged_segments: read(&counters.damaged_segments),
            log_bytes_dropped: read(&counters.log_bytes_dropped),
            retention_s: self.shared.options.retention.age.map_or(0, |age| age.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests;
