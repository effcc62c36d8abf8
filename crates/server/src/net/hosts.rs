//! Against DNS rebinding: a page of another site can make its own name resolve to 127.0.0.1 and read what it gets. Its
//! requests carry that name in `Host`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;

/// Which host names a listener answers to. Checked on loopback addresses only: for others nobody but the operator
/// knows the names.
#[derive(Clone, Debug)]
pub(crate) struct HostGuard {
    allowed: Option<Arc<[String]>>,
}

impl HostGuard {
    pub(crate) fn new(listen: SocketAddr, allowed: &[String]) -> Self {
        let names = || allowed.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { allowed: listen.ip().is_loopback().then(names) }
    }

    pub(crate) fn protect(self, router: Router) -> Router {
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let admitted = self.admits(&request);
            async move { if admitted { next.run(request).await } else { refused() } }
        }))
    }

    fn admits(&self, request: &Request) -> bool {
        let Some(allowed) = &self.allowed else { return true };
        let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = request.uri().authority().map(axum::http::uri::Authority::as_str).or(header);
        host.is_some_and(|host| is_local(host) || allowed.contains(&name_of(host)))
    }
}

/// The name in `name:port`, in lower case, without the brackets of IPv6.
fn name_of(host: &str) -> String {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    name.to_ascii_lowercase()
}

fn is_local(host: &str) -> bool {
    let name = name_of(host);
    let name = name.trim_end_matches('.');
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn refused() -> Response {
    let message = "this server answers to localhost only; add the name to the allowed hosts";
    ApiError::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", message).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_local() {
        for host in [
            "localhost",
            "LOCALHOST:4747",
            "127.0.0.1:4747",
            "127.9.9.9",
            "[::1]:4747",
            "a.localhost",
            "localhost.",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:4747",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]:1",
            "[",
            ":4747",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
