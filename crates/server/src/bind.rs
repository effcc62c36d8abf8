//! Takes the ports, then serves until told to stop.

use std::future::Future;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use infrared_store::ProfileStore;
use tokio::sync::{Semaphore, watch};

use crate::config::ServerConfig;
use crate::ingest::{Ingest, grpc};
use crate::metrics::{Counters, MetricsSource};
use crate::net::{accept, hosts, http};
use crate::routes;
use crate::state::{App, AppState, now_ms};
use crate::status::StatusSource;

/// A port could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{addr} ({purpose}) is taken by another process")]
    PortTaken { addr: SocketAddr, purpose: &'static str },
    #[error("{addr} ({purpose}) needs more privileges: ports below 1024 belong to root")]
    Denied { addr: SocketAddr, purpose: &'static str },
    #[error("{addr} ({purpose}) is no address of this machine")]
    NotLocal { addr: SocketAddr, purpose: &'static str },
    #[error("cannot listen on {addr} ({purpose}): {source}")]
    Io { addr: SocketAddr, purpose: &'static str, source: std::io::Error },
}

/// Serving ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot use a listening socket: {0}")]
    Listener(#[from] std::io::Error),
    #[error("a listener stopped: {0}")]
    Stopped(String),
}

/// Where a server really listens; ports that were 0 are filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddrs {
    pub ui: SocketAddr,
    pub otlp_grpc: Option<SocketAddr>,
    pub otlp_http: Option<SocketAddr>,
}

#[derive(Debug)]
pub struct Server;

impl Server {
    /// Takes the ports of `config`. Connections wait until [`BoundServer::serve`].
    pub fn bind(
        config: ServerConfig,
        store: Arc<dyn ProfileStore>,
    ) -> Result<BoundServer, BindError> {
        let (ui, ui_addr) = listen(config.listen, "web UI and API")?;
        let grpc = config.otlp_grpc.map(|addr| listen(addr, "OTLP over gRPC")).transpose()?;
        let otlp = config.otlp_http.map(|addr| listen(addr, "OTLP over HTTP")).transpose()?;
        let addrs = LocalAddrs {
            ui: ui_addr,
            otlp_grpc: grpc.as_ref().map(|(_, addr)| *addr),
            otlp_http: otlp.as_ref().map(|(_, addr)| *addr),
        };
        let counters = Arc::new(Counters::default());
        let ingest = Ingest::new(Arc::clone(&store), Arc::clone(&counters), config.limits);
        Ok(BoundServer {
            addrs,
            ui,
            grpc: grpc.map(|(listener, _)| listener),
            otlp: otlp.map(|(listener, _)| listener),
            config,
            store,
            ingest,
            counters,
            metrics: Vec::new(),
            status: None,
        })
    }
}

fn listen(addr: SocketAddr, purpose: &'static str) -> Result<(TcpListener, SocketAddr), BindError> {
    let bound = TcpListener::bind(addr).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    });
    bound.map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => BindError::PortTaken { addr, purpose },
        ErrorKind::PermissionDenied => BindError::Denied { addr, purpose },
        ErrorKind::AddrNotAvailable => BindError::NotLocal { addr, purpose },
        _ => BindError::Io { addr, purpose, source },
    })
}

/// A server that has its ports.
pub struct BoundServer {
    addrs: LocalAddrs,
    ui: TcpListener,
    grpc: Option<TcpListener>,
    otlp: Option<TcpListener>,
    config: ServerConfig,
    store: Arc<dyn ProfileStore>,
    ingest: Ingest,
    counters: Arc<Counters>,
    metrics: Vec<Arc<dyn MetricsSource>>,
    status: Option<Arc<dyn StatusSource>>,
}

impl std::fmt::Debug for BoundServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundServer").field("addrs", &self.addrs).finish_non_exhaustive()
    }
}

impl BoundServer {
    /// Shows the agent's state in `/api/v1/status`.
    #[must_use]
    pub fn with_status(mut self, status: Arc<dyn StatusSource>) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds to `/metrics`.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<dyn MetricsSource>) -> Self {
        self.metrics.push(metrics);
        self
    }

    pub fn local_addrs(&self) -> LocalAddrs {
        self.addrs
    }

    /// The way in for profiles of the same process.
    pub fn ingest(&self) -> Ingest {
        self.ingest.clone()
    }

    /// Serves until `shutdown` completes, then ends event streams, lets running requests finish for a few seconds,
    /// and returns.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServeError> {
        let limits = self.config.limits;
        let (stop, stopped) = watch::channel(false);
        let app: App = Arc::new(AppState {
            store: self.store,
            ingest: self.ingest.clone(),
            counters: self.counters,
            metrics: self.metrics,
            status: self.status,
            limits,
            started_ms: now_ms(),
            queries: Semaphore::new(limits.query_concurrency),
        });
        let guard = |addr| hosts::HostGuard::new(addr, &self.config.allowed_hosts);
        let mut tasks = tokio::task::JoinSet::new();
        let ui = guard(self.addrs.ui).protect(routes::ui_router(Arc::clone(&app)));
        tasks.spawn(http::serve(accept::accept(self.ui, &app)?, ui, limits, stopped.clone()));
        if let (Some(listener), Some(addr)) = (self.otlp, self.addrs.otlp_http) {
            let router = guard(addr).protect(routes::otlp_router(Arc::clone(&app)));
            let connections = accept::accept(listener, &app)?;
            tasks.spawn(http::serve(connections, router, limits, stopped.clone()));
        }
        if let Some(listener) = self.grpc {
            let connections = accept::accept(listener, &app)?;
            tasks.spawn(grpc::serve(connections, self.ingest.clone(), stopped));
        }
        let ended = tokio::select! {
            () = shutdown => None,
            ended = tasks.join_next() => ended,
        };
        self.ingest.events().end();
        if stop.send(true).is_err() {
            tracing::debug!("all listeners have stopped already");
        }
        while let Some(joined) = tasks.join_next().await {
            log_end(joined);
        }
        match ended {
            None => Ok(()),
            Some(Ok(Ok(()))) => Err(ServeError::Stopped("it accepts no connections".into())),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(error)) => Err(ServeError::Stopped(error.to_string())),
        }
    }
}

fn log_end(joined: Result<Result<(), ServeError>, tokio::task::JoinError>) {
    match joined {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a listener ended badly"),
        Err(error) => tracing::error!(%error, "a listener panicked"),
    }
}
