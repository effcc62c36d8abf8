//! The server: OTLP in, JSON and call trees out, and the web UI. One process, three listeners, any [`ProfileStore`].
//!
//! It answers questions; it keeps nothing itself. `docs/http-api.md` describes the API for people, `openapi.json` for
//! programs. Not here: authentication (bind to loopback, or put a proxy in front), and who holds a port that is taken.
//!
//! Invariant: what a client sends or does not read costs bounded memory and time: bodies, expansion, connections,
//! queries and event streams each have a limit.

mod bind;
mod config;
mod error;
mod events;
mod ingest;
mod metrics;
mod net;
mod query;
mod routes;
mod state;
mod status;
mod ui;

pub use bind::{BindError, BoundServer, LocalAddrs, ServeError, Server};
pub use config::{Limits, ServerConfig};
pub use events::WindowEvent;
pub use infrared_store::ProfileStore;
pub use ingest::{Ingest, IngestError, Ingested};
pub use metrics::MetricsSource;
pub use status::{AgentLoss, AgentStatus, AgentThread, StatusSource};
pub use ui::viewer_js;
