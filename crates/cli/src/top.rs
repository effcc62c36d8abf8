//! `infrared top`: services and functions by CPU.

mod keys;
mod picture;
mod screen;
mod sorting;

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::Duration,
};

use anyhow::anyhow;
use infrared_agent::{Agent, AgentConfig, Pace, ProfileSink, SinkError};
use infrared_profile::{Profile, ValueType};

use crate::{
    args::TopArgs,
    failure::Failure,
    privileges,
    settings::Settings,
    signals::{self, Signal},
};
use picture::Picture;
use screen::Screen;

/// How often keys are looked for.
const TICK: Duration = Duration::from_millis(50);

/// What reaches the main thread.
#[derive(Debug)]
enum Event {
    Window(Box<Profile>),
    Signal(Signal),
}

pub(crate) fn run(args: &TopArgs) -> Result<ExitCode, Failure> {
    let warning = privileges::require()?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let is_live = !args.once && !args.json;
    if is_live && !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
        let message = "a live view needs a terminal: use --once or --json";
        return Err(Failure::Usage(message.into()));
    }
    let settings = Settings::load(args.config.config.as_deref())?;
    let (sender, events) = sync_channel(4);
    signals::forward(sender.clone(), Event::Signal)?;
    let config = AgentConfig {
        frequency_hz: args.frequency,
        exclude_self: args.exclude_self || settings.exclude_self,
        pace: Pace::Recording { window: args.interval },
        ..settings.agent()?
    };
    let agent = Agent::start(config, Box::new(Windows(sender)))?;
    if is_live {
        live(&agent, &events)?;
    } else {
        print(&agent, &events, args)?;
    }
    agent.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// Passes the windows of samples on. A window that nobody has time for is not shown.
#[derive(Debug)]
struct Windows(SyncSender<Event>);

impl ProfileSink for Windows {
    fn deliver(&mut self, window: Vec<Profile>) -> Result<(), SinkError> {
        for profile in window.into_iter().filter(|p| p.value_type == ValueType::cpu_samples()) {
            drop(self.0.try_send(Event::Window(Box::new(profile))));
        }
        Ok(())
    }
}

/// Prints every window, or one.
fn print(agent: &Agent, events: &Receiver<Event>, args: &TopArgs) -> anyhow::Result<()> {
    loop {
        match events.recv_timeout(Duration::from_secs(1)) {
            Ok(Event::Window(profile)) => {
                let picture = Picture::of(&profile);
                let mut out = io::stdout().lock();
                if args.json {
                    let json = serde_json::to_string(&picture.first(args.rows))?;
                    writeln!(out, "{json}")?;
                } else {
                    out.write_all(picture.first(args.rows).to_text().as_bytes())?;
                }
                out.flush()?;
                if args.once {
                    return Ok(());
                }
            }
            Ok(Event::Signal(signal)) => {
                tracing::info!(?signal, "ends");
                return Ok(());
            }
            Err(RecvTimeoutError::Timeout) if agent.is_running() => {}
            Err(_) => return Err(anyhow!("the agent has ended")),
        }
    }
}

/// Shows the windows until `q` is pressed.
fn live(agent: &Agent, events: &Receiver<Event>) -> anyhow::Result<()> {
    let mut screen = Screen::open()?;
    loop {
        match events.recv_timeout(TICK) {
            Ok(Event::Window(profile)) => screen.show(Picture::of(&profile))?,
            Ok(Event::Signal(signal)) => {
                tracing::info!(?signal, "ends");
                return Ok(());
            }
            Err(RecvTimeoutError::Timeout) if agent.is_running() => {}
            Err(_) => return Err(anyhow!("the agent has ended")),
        }
        if screen.take_keys()? == keys::Next::Quit {
            return Ok(());
        }
    }
}
