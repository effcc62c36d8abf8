//! `infrared agent`: the agent alone, with a server elsewhere.

use std::{
    process::ExitCode,
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    time::Duration,
};

use anyhow::{Context, anyhow};
use infrared_agent::{Agent, OtlpConfig, OtlpSink};

use crate::{
    args::AgentArgs,
    failure::Failure,
    privileges,
    settings::{Settings, state_directory},
    signals::{self, Signal},
};

const TICK: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &AgentArgs) -> Result<ExitCode, Failure> {
    let warning = privileges::require()?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let mut settings = Settings::load(args.config.config.as_deref())?;
    settings.frequency = args.frequency.unwrap_or(settings.frequency);
    settings.exclude_self |= args.exclude_self;
    let sink = OtlpSink::start(&OtlpConfig {
        url: args.server.clone(),
        token_file: args.token_file.clone(),
        spool_directory: args.spool.clone().unwrap_or_else(|| state_directory().join("spool")),
        spool_bytes: args.spool_mib << 20,
    })?;
    let delivery = sink.reader();
    let (sender, events) = sync_channel(16);
    let at_once = signals::forward(sender, |signal| signal)?;
    let config = settings.agent()?;
    let agent = Agent::start(config, Box::new(sink))?;
    eprintln!("infrared agent samples at {} Hz and sends to {}", settings.frequency, args.server);
    let end = wait(&events, &agent);
    at_once.store(true, std::sync::atomic::Ordering::Relaxed);
    agent.stop().context("the agent did not stop cleanly")?;
    let delivery = delivery.read();
    if delivery.waiting > 0 {
        eprintln!("{} requests wait in the spool for the next start", delivery.waiting);
    }
    end?;
    Ok(ExitCode::SUCCESS)
}

fn wait(events: &Receiver<Signal>, agent: &Agent) -> anyhow::Result<()> {
    loop {
        match events.recv_timeout(TICK) {
            Ok(_) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if agent.is_running() => {}
            Err(_) => return Err(anyhow!("the agent has ended")),
        }
    }
}
