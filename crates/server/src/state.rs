//! What every handler shares.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use infrared_store::{Budget, ProfileStore};
use tokio::sync::Semaphore;

use crate::config::Limits;
use crate::error::ApiError;
use crate::ingest::Ingest;
use crate::metrics::{Counters, MetricsSource};
use crate::status::StatusSource;

pub(crate) type App = Arc<AppState>;

pub(crate) struct AppState {
    pub(crate) store: Arc<dyn ProfileStore>,
    pub(crate) ingest: Ingest,
    pub(crate) counters: Arc<Counters>,
    pub(crate) metrics: Vec<Arc<dyn MetricsSource>>,
    pub(crate) status: Option<Arc<dyn StatusSource>>,
    pub(crate) limits: Limits,
    pub(crate) started_ms: i64,
    pub(crate) queries: Semaphore,
}

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis() as i64)
}

impl AppState {
    /// Runs a query on a thread that may block, once it is its turn, within the time limit.
    pub(crate) async fn query<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&AppState, &Budget) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.counters.queries.add(1);
        let turn = tokio::time::timeout(self.limits.queue_timeout, self.queries.acquire()).await;
        let Ok(Ok(_permit)) = turn else {
            self.counters.queries_failed.add(1);
            return Err(ApiError::busy());
        };
        let app = Arc::clone(self);
        let deadline = Instant::now() + self.limits.query_timeout;
        let budget = Budget { deadline: Some(deadline), ..Budget::default() };
        let result = tokio::task::spawn_blocking(move || work(&app, &budget)).await;
        let result = result.unwrap_or_else(|error| Err(ApiError::internal(&error)));
        if result.is_err() {
            self.counters.queries_failed.add(1);
        }
        result
    }
}
