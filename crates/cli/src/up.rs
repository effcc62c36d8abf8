//! `infrared up`: agent, store, server and page in one process.

mod announce;
mod sink;
mod sources;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    time::Duration,
};

use anyhow::{Context, anyhow};
use infrared_agent::Agent;

use crate::{
    args::UpArgs,
    failure::Failure,
    privileges,
    server::{self, Bound, OtlpPorts},
    settings::Settings,
    signals::{self, Signal},
};
use sink::IngestSink;
use sources::AgentSource;

/// How often the agent is looked after.
const TICK: Duration = Duration::from_millis(500);

/// What ends it.
#[derive(Debug)]
pub(crate) enum Event {
    Signal(Signal),
    /// The server has ended; by itself if there is an error.
    ServerEnded(Option<String>),
}

pub(crate) fn run(args: &UpArgs) -> Result<ExitCode, Failure> {
    let settings = resolve(args)?;
    if args.print_config {
        print!("{}", settings.to_toml());
        return Ok(ExitCode::SUCCESS);
    }
    let warning = privileges::require()?;
    let (sender, events) = sync_channel(16);
    let at_once = signals::forward(sender.clone(), Event::Signal)?;
    let Bound { server, warnings: missing_ports } = server::bind(&settings, OtlpPorts::Optional)?;
    let config = settings.agent()?;
    let frequency_hz = config.frequency_hz;
    let agent = Agent::start(config, Box::new(IngestSink(server.ingest())))?;
    let mut warnings: Vec<String> = warning.into_iter().chain(missing_ports).collect();
    warnings.extend(crate::doctor::warnings());
    let source = Arc::new(AgentSource::new(&agent, frequency_hz, warnings));
    let addresses = server.local_addrs();
    let server =
        server.with_status(Arc::clone(&source) as _).with_metrics(Arc::clone(&source) as _);
    let running = server::serve(server, sender)?;
    announce::started(&addresses, &settings, &source);
    let end = wait(&events, &agent);
    at_once.store(true, std::sync::atomic::Ordering::Relaxed);
    eprintln!("stopping");
    // The last window first: the store is there until the server has ended.
    let stopped = agent.stop().context("the agent did not stop cleanly");
    running.stop();
    end?;
    stopped?;
    Ok(ExitCode::SUCCESS)
}

/// The options win over the file.
fn resolve(args: &UpArgs) -> anyhow::Result<Settings> {
    let mut settings = Settings::load(args.config.config.as_deref())?;
    if let Some(listen) = args.listen {
        settings.listen = listen;
    }
    if let Some(data) = &args.data {
        settings.data.clone_from(data);
    }
    if let Some(frequency) = args.frequency {
        settings.frequency = frequency;
    }
    if let Some(retention) = args.retention {
        settings.retention = retention;
    }
    settings.exclude_self |= args.exclude_self;
    Ok(settings)
}

fn wait(events: &Receiver<Event>, agent: &Agent) -> anyhow::Result<()> {
    loop {
        match events.recv_timeout(TICK) {
            Ok(Event::Signal(signal)) => {
                tracing::info!(?signal, "ends");
                return Ok(());
            }
            Ok(Event::ServerEnded(error)) => {
                let error = error.unwrap_or_else(|| "for no known reason".into());
                return Err(anyhow!("the server has ended: {error}"));
            }
            Err(RecvTimeoutError::Timeout) if agent.is_running() => {}
            Err(_) => return Err(anyhow!("the agent has ended")),
        }
    }
}
