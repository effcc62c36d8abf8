//! `/api/v1/status`.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use infrared_profile::labels;
use infrared_store::{Selection, TimeRange};
use serde::Serialize;

use crate::error::ApiError;
use crate::state::{App, now_ms};
use crate::status::AgentStatus;

/// How far back a host counts as present.
const HOSTS_MS: i64 = 15 * 60_000;

#[derive(Serialize)]
pub(crate) struct Status {
    version: &'static str,
    started_ms: i64,
    now_ms: i64,
    hosts: BTreeSet<String>,
    data: Data,
    agent: Option<AgentStatus>,
}

#[derive(Serialize)]
struct Data {
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    bytes: u64,
    /// 0: no limit.
    retention_s: u64,
}

pub(crate) async fn status(State(app): State<App>) -> Result<Json<Status>, ApiError> {
    let answer = app.query(|app, budget| {
        let now_ms = now_ms();
        let range = TimeRange { from_ms: now_ms - HOSTS_MS, to_ms: now_ms };
        let totals = app.store.series_totals(&Selection::cpu(range), budget)?;
        let hosts = totals.series.into_iter().filter_map(|mut s| s.labels.remove(labels::HOST));
        let stats = app.store.stats();
        let stored = app.store.range();
        let data = Data {
            from_ms: stored.map(|r| r.from_ms),
            to_ms: stored.map(|r| r.to_ms),
            bytes: stats.bytes,
            retention_s: stats.retention_s,
        };
        Ok(Status {
            version: env!("CARGO_PKG_VERSION"),
            started_ms: app.started_ms,
            now_ms,
            hosts: hosts.collect(),
            data,
            agent: app.status.as_ref().map(|source| source.agent()),
        })
    });
    answer.await.map(Json)
}
