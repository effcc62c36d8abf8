//! Which path is answered by what.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, extract::Request};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use crate::state::App;
use crate::{events, ingest, metrics, query, ui};

/// Every path of the API; `openapi.json` describes each.
pub(crate) fn api() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/api/v1/status", get(query::status)),
        ("/api/v1/services", get(query::services)),
        ("/api/v1/timeline", get(query::timeline)),
        ("/api/v1/tree", get(query::tree)),
        ("/api/v1/functions", get(query::functions)),
        ("/api/v1/function", get(query::function)),
        ("/api/v1/labels", get(query::labels)),
        ("/api/v1/quality", get(query::quality)),
        ("/api/v1/export", get(query::export)),
        ("/api/v1/events", get(events::events)),
        ("/api/v1/openapi.json", get(openapi)),
        ("/healthz", get(healthz)),
        ("/metrics", get(metrics::metrics)),
        (ingest::HTTP_PATH, post(ingest::http)),
    ]
}

/// UI and API.
pub(crate) fn ui_router(app: App) -> Router {
    let router = api().into_iter().fold(Router::new(), |r, (path, method)| r.route(path, method));
    router
        .fallback(get(ui::ui))
        .layer(CompressionLayer::new().gzip(true).quality(CompressionLevel::Precise(4)))
        .layer(middleware::from_fn(harden))
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

/// OTLP alone.
pub(crate) fn otlp_router(app: App) -> Router {
    Router::new()
        .route(ingest::HTTP_PATH, post(ingest::http))
        .route("/healthz", get(healthz))
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

/// Answers are data: never guessed to be a page, never kept by a cache unless they say so.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// 200 and `ok`; or 503 and what is wrong with the agent in the same process, a line each.
async fn healthz(State(app): State<App>) -> (StatusCode, String) {
    let complaints = app.status.as_ref().map(|source| source.complaints()).unwrap_or_default();
    if complaints.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, complaints.join("\n") + "\n")
}

async fn openapi() -> ([(header::HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("../openapi.json"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn openapi_describes_every_route_and_no_other() {
        let document: serde_json::Value =
            serde_json::from_str(include_str!("../openapi.json")).expect("JSON");
        let described = document["paths"].as_object().expect("paths").keys().map(String::as_str);
        let served = api().into_iter().map(|(path, _)| path);
        assert_eq!(described.collect::<BTreeSet<_>>(), served.collect::<BTreeSet<_>>());
    }
}
