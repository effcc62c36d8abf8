//! The ways in: OTLP over HTTP and gRPC, and from the agent in the same process.

mod expand;
pub(crate) mod grpc;
mod http;
mod otlp;

use std::sync::Arc;

use infrared_profile::Profile;
use infrared_store::{ProfileStore, StoreError};
use tokio::sync::Semaphore;

pub(crate) use http::{HTTP_PATH, http};

use crate::config::Limits;
use crate::events::{Events, WindowEvent};
use crate::metrics::Counters;
use crate::state::now_ms;

/// What an exporter that does not say how long its window was is taken to have meant.
const DEFAULT_WINDOW_NS: u64 = 10_000_000_000;

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no OTLP profiles request: {0}")]
    Malformed(String),
    #[error("too large: {0}")]
    TooLarge(String),
    #[error("too many requests are being served; try again")]
    Busy,
    #[error("the request did not arrive in time")]
    Timeout,
    #[error("{0}")]
    UnsupportedMedia(String),
}

/// What became of the profiles of one write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    pub stored: usize,
    pub rejected: usize,
    /// Why, if any were rejected.
    pub reason: String,
}

/// Takes profiles. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    store: Arc<dyn ProfileStore>,
    events: Events,
    counters: Arc<Counters>,
    limits: Limits,
    decoding: Arc<Semaphore>,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Ingest {
    pub(crate) fn new(
        store: Arc<dyn ProfileStore>,
        counters: Arc<Counters>,
        limits: Limits,
    ) -> Self {
        let decoding = Arc::new(Semaphore::new(limits.ingest_concurrency));
        Self { store, events: Events::new(), counters, limits, decoding }
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Stores profiles and tells the event streams. `Ok` means durable. Blocks.
    ///
    /// Profiles whose window is too far from now are rejected, and counted in the result.
    pub fn write(&self, mut profiles: Vec<Profile>) -> Result<Ingested, IngestError> {
        let now_ns = u64::try_from(now_ms()).unwrap_or(0).saturating_mul(1_000_000);
        for profile in &mut profiles {
            complete(profile, now_ns);
        }
        let offered = profiles.len();
        let mut reason = String::new();
        profiles.retain(|profile| match self.rejection(profile, now_ns) {
            Some(why) => {
                reason = why;
                false
            }
            None => true,
        });
        let rejected = offered - profiles.len();
        self.counters.profiles_rejected.add(rejected as u64);
        if !profiles.is_empty() {
            self.store.write(&profiles).inspect_err(|_| self.counters.store_errors.add(1))?;
            self.counters.profiles.add(profiles.len() as u64);
            self.counters.samples.add(profiles.iter().map(Profile::sample_count).sum());
            self.tell(&profiles);
        }
        Ok(Ingested { stored: profiles.len(), rejected, reason })
    }

    fn rejection(&self, profile: &Profile, now_ns: u64) -> Option<String> {
        let nanos = |duration: std::time::Duration| duration.as_nanos() as u64;
        if profile.start_ns > now_ns.saturating_add(nanos(self.limits.future)) {
            return Some("the window starts in the future: are the clocks right?".into());
        }
        let end_ns = profile.start_ns.saturating_add(profile.duration_ns);
        if end_ns < now_ns.saturating_sub(nanos(self.limits.past)) {
            return Some("the window is too old".into());
        }
        (profile.duration_ns > nanos(self.limits.past)).then(|| "the window is too long".into())
    }

    fn tell(&self, profiles: &[Profile]) {
        let from = profiles.iter().map(|p| p.start_ns).min().unwrap_or(0);
        let ends = profiles.iter().map(|p| p.start_ns.saturating_add(p.duration_ns));
        let to = ends.max().unwrap_or(from);
        let ms = |ns: u64| (ns / 1_000_000) as i64;
        self.events.window(WindowEvent { from_ms: ms(from), to_ms: ms(to) });
    }
}

fn complete(profile: &mut Profile, now_ns: u64) {
    if profile.duration_ns == 0 {
        profile.duration_ns = DEFAULT_WINDOW_NS;
    }
    if profile.start_ns == 0 {
        profile.start_ns = now_ns.saturating_sub(profile.duration_ns);
    }
}
