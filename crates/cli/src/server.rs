//! `infrared server`: the server alone; and what `infrared up` shares with it.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, anyhow};
use infrared_processes::ProcFs;
use infrared_server::{BindError, BoundServer, Server, ServerConfig};
use infrared_store::{EmbeddedStore, Options, Retention};
use tokio::{runtime::Runtime, sync::oneshot};

use crate::{args::ServerArgs, failure::Failure, settings::Settings, signals, up::Event};

pub(crate) fn run(args: &ServerArgs) -> Result<ExitCode, Failure> {
    let settings = resolve(args)?;
    let (sender, events) = sync_channel(16);
    let at_once = signals::forward(sender.clone(), Event::Signal)?;
    let server = bind(&settings, OtlpPorts::Required)?.server;
    let addresses = server.local_addrs();
    let running = serve(server, sender)?;
    eprintln!(
        "infrared server is at http://{}, with data in {}",
        addresses.ui,
        settings.data.display()
    );
    for (name, address) in [("gRPC", addresses.otlp_grpc), ("HTTP", addresses.otlp_http)] {
        if let Some(address) = address {
            eprintln!("  takes OTLP profiles over {name} at {address}");
        }
    }
    let end = events.recv();
    at_once.store(true, std::sync::atomic::Ordering::Relaxed);
    running.stop();
    match end {
        Ok(Event::ServerEnded(error)) => {
            let error = error.unwrap_or_else(|| "for no known reason".into());
            Err(anyhow!("the server has ended: {error}").into())
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn resolve(args: &ServerArgs) -> Result<Settings> {
    let mut settings = Settings::load(args.config.config.as_deref())?;
    for (option, setting) in [
        (args.listen, &mut settings.listen),
        (args.otlp_grpc, &mut settings.otlp_grpc),
        (args.otlp_http, &mut settings.otlp_http),
    ] {
        if let Some(address) = option {
            *setting = address;
        }
    }
    settings.data = store_directory(&args.store)?;
    if let Some(retention) = args.retention {
        settings.retention = retention;
    }
    Ok(settings)
}

/// Only directories so far: other stores have URLs.
fn store_directory(store: &std::path::Path) -> Result<PathBuf> {
    match store.to_string_lossy().split_once("://") {
        Some((scheme, _)) => Err(anyhow!("this version has no {scheme} store: give a directory")),
        None => Ok(store.to_owned()),
    }
}

/// What to do if a port for OTLP is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtlpPorts {
    /// Do without it, and say so: other collectors use the same ports.
    Optional,
    /// Fail.
    Required,
}

/// A server with its ports, and what it does without.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) server: BoundServer,
    pub(crate) warnings: Vec<String>,
}

/// Opens the store and takes the ports.
pub(crate) fn bind(settings: &Settings, otlp: OtlpPorts) -> Result<Bound> {
    let options = Options {
        retention: Retention { age: Some(settings.retention), bytes: None },
        ..Options::default()
    };
    let store = Arc::new(EmbeddedStore::open(&settings.data, options)?);
    let mut config = ServerConfig {
        listen: settings.listen,
        otlp_grpc: Some(settings.otlp_grpc),
        otlp_http: Some(settings.otlp_http),
        ..ServerConfig::default()
    };
    let mut warnings = Vec::new();
    loop {
        let error = match Server::bind(config.clone(), Arc::clone(&store) as _) {
            Ok(server) => return Ok(Bound { server, warnings }),
            Err(error) => error,
        };
        let BindError::PortTaken { addr, purpose } = error else { return Err(error.into()) };
        let by = taken_by(addr.port());
        let is_grpc = config.otlp_grpc == Some(addr);
        if otlp == OtlpPorts::Required || !(is_grpc || config.otlp_http == Some(addr)) {
            return Err(anyhow!("{by}: give another address for the {purpose}"));
        }
        warnings.push(format!("{by}: {purpose} is not served"));
        if is_grpc {
            config.otlp_grpc = None;
        } else {
            config.otlp_http = None;
        }
    }
}

/// `port 4747 is taken by nginx (pid 12)`.
fn taken_by(port: u16) -> String {
    match ProcFs::system().who_listens(port) {
        Some(listener) => {
            let comm = crate::terminal::harmless(&listener.comm);
            format!("port {port} is taken by {comm} (pid {})", listener.pid)
        }
        None => format!("port {port} is taken by another process"),
    }
}

/// A server at work on threads of its own.
#[derive(Debug)]
pub(crate) struct Served {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Serves until [`Served::stop`]; an end is told to `events`.
pub(crate) fn serve(bound: BoundServer, events: SyncSender<Event>) -> Result<Served> {
    let runtime = Runtime::new().context("cannot start the server's threads")?;
    let (stop, stopped) = oneshot::channel::<()>();
    let run = move || {
        let shutdown = async {
            // Dropped or sent: both mean to stop.
            drop(stopped.await);
        };
        let result = runtime.block_on(bound.serve(shutdown));
        // Queries that still run are not waited for.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        drop(events.try_send(Event::ServerEnded(result.err().map(|error| error.to_string()))));
    };
    let thread = thread::Builder::new().name("ir-server".into()).spawn(run)?;
    Ok(Served { stop: Some(stop), thread: Some(thread) })
}

impl Served {
    /// Ends event streams, lets requests finish for a moment, and closes the store.
    pub(crate) fn stop(mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the server's thread panicked");
        }
    }
}
