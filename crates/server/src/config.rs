//! What the server is told at start. Where the data are and how long they are kept is the store's business.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// UI and API.
    pub listen: SocketAddr,
    /// OTLP over gRPC; `None` leaves it out.
    pub otlp_grpc: Option<SocketAddr>,
    /// OTLP over HTTP; `None` leaves it to [`ServerConfig::listen`], which takes it too.
    pub otlp_http: Option<SocketAddr>,
    /// Names that a `Host` header may have beside loopback ones, when [`ServerConfig::listen`] is a loopback address.
    pub allowed_hosts: Vec<String>,
    pub limits: Limits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listen: local(4747),
            otlp_grpc: Some(local(4317)),
            otlp_http: Some(local(4318)),
            allowed_hosts: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// What clients may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Body of an ingest request as it is sent.
    pub body_bytes: usize,
    /// The same after decompression.
    pub expanded_bytes: usize,
    /// Memory of the decoded message, and again of the profiles made of it.
    pub decoded_bytes: usize,
    /// Ingest requests decoded at once; others wait.
    pub ingest_concurrency: usize,
    /// For a request from its first byte to its answer.
    pub ingest_timeout: Duration,
    /// Queries run at once; others wait.
    pub query_concurrency: usize,
    pub query_timeout: Duration,
    /// How long a request waits for its turn before it is refused as busy.
    pub queue_timeout: Duration,
    /// Nodes of a call tree; what is left out is counted into its parents.
    pub tree_nodes: usize,
    /// From a connection's start, or the last answer, to the end of the next request's head.
    pub head_timeout: Duration,
    /// How long a client may leave an answer unread.
    pub write_timeout: Duration,
    /// Open connections per listener.
    pub connections: usize,
    /// Windows may start this much after now, for clocks that differ.
    pub future: Duration,
    /// ... and this much before now.
    pub past: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            expanded_bytes: 64 << 20,
            decoded_bytes: 128 << 20,
            ingest_concurrency: 4,
            ingest_timeout: Duration::from_secs(30),
            query_concurrency: 4,
            query_timeout: Duration::from_secs(25),
            queue_timeout: Duration::from_secs(10),
            tree_nodes: 4_000_000,
            head_timeout: Duration::from_mins(1),
            write_timeout: Duration::from_secs(30),
            connections: 256,
            future: Duration::from_mins(10),
            past: Duration::from_hours(31 * 24),
        }
    }
}
