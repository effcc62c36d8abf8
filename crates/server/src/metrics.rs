//! `/metrics`: what the server counts, as `OpenMetrics` 1.0 text, and what others in the process add to it.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::state::App;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Something else in the process that counts. Must not block.
pub trait MetricsSource: Send + Sync {
    /// Appends metric families with their `# TYPE` lines, without the final `# EOF`.
    fn render(&self, out: &mut String);
}

/// Events since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: Count,
    pub(crate) requests_malformed: Count,
    pub(crate) requests_too_large: Count,
    pub(crate) requests_busy: Count,
    pub(crate) profiles: Count,
    pub(crate) profiles_rejected: Count,
    pub(crate) samples: Count,
    pub(crate) store_errors: Count,
    pub(crate) queries: Count,
    pub(crate) queries_failed: Count,
    pub(crate) connections_refused: Count,
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    fn list(&self) -> [(&'static str, &'static str, &Count); 11] {
        [
            ("ingest_requests", "OTLP requests", &self.requests),
            ("ingest_malformed", "OTLP requests refused as malformed", &self.requests_malformed),
            ("ingest_too_large", "OTLP requests refused for their size", &self.requests_too_large),
            ("ingest_busy", "OTLP requests refused while too busy", &self.requests_busy),
            ("ingest_profiles", "profiles stored", &self.profiles),
            ("ingest_profiles_rejected", "profiles refused", &self.profiles_rejected),
            ("ingest_samples", "samples in the profiles stored", &self.samples),
            ("ingest_store_errors", "writes that the store refused", &self.store_errors),
            ("queries", "queries", &self.queries),
            ("queries_failed", "queries that failed", &self.queries_failed),
            ("connections_refused", "connections over the limit", &self.connections_refused),
        ]
    }
}

pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], render(&app))
}

fn render(app: &App) -> String {
    let mut out = String::new();
    for (name, help, count) in app.counters.list() {
        family(&mut out, name, "counter", help);
        line(&mut out, &format!("{name}_total"), count.get());
    }
    let stats = app.store.stats();
    for (name, help, value) in [
        ("store_writes", "writes acknowledged", stats.writes),
        ("store_writes_failed", "writes refused", stats.writes_failed),
        ("store_maintenance_failed", "flushes and merges that failed", stats.maintenance_failed),
        ("store_log_dropped_bytes", "unacknowledged log bytes dropped", stats.log_bytes_dropped),
    ] {
        family(&mut out, name, "counter", help);
        line(&mut out, &format!("{name}_total"), value);
    }
    for (name, help, value) in [
        ("store_bytes", "bytes on disk", stats.bytes),
        ("store_segments", "segments", stats.segments as u64),
        ("store_rows", "rows in segments", stats.rows),
        ("store_head_rows", "rows in memory", stats.head_rows as u64),
        ("store_damaged_segments", "segments left out as damaged", stats.damaged_segments),
        ("event_readers", "open event streams", app.ingest.events().readers() as u64),
    ] {
        family(&mut out, name, "gauge", help);
        line(&mut out, name, value);
    }
    for source in &app.metrics {
        source.render(&mut out);
    }
    out.push_str("# EOF\n");
    out
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    append(out, format_args!("# TYPE infrared_server_{name} {kind}\n"));
    append(out, format_args!("# HELP infrared_server_{name} {help}\n"));
}

fn line(out: &mut String, name: &str, value: u64) {
    append(out, format_args!("infrared_server_{name} {value}\n"));
}

fn append(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    if out.write_fmt(text).is_err() {
        tracing::error!("a metric could not be formatted");
    }
}
