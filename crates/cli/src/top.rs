//! `infrared top`: services and functions by CPU.

mod keys;
mod picture;
mod screen;
mod sorting;

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use infrared_agent::{Agent, AgentConfig, Pace, ProfileSink, SinkError};
use infrared_profile::{Profile, ValueType, merge};

use crate::{
    args::{LONGEST, TopArgs},
    failure::Failure,
    logging, privileges,
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

impl Event {
    fn into_window(self) -> Option<Profile> {
        match self {
            Self::Window(profile) => Some(*profile),
            Self::Signal(_) => None,
        }
    }
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
    // One look is one window that ends with the agent, which then waits for no sample to become complete.
    let window = if args.once { LONGEST } else { args.interval };
    let config = AgentConfig {
        frequency_hz: args.frequency,
        exclude_self: args.exclude_self || settings.exclude_self,
        pace: Pace::Recording { window },
        ..settings.agent()?
    };
    let agent = Agent::start(config, Box::new(Windows(sender)))?;
    if args.once {
        return look(agent, &events, args);
    }
    if is_live {
        live(&agent, &events)?;
    } else {
        follow(&agent, &events, args)?;
    }
    // To stop it in order would be to wait for names that nobody will see; all that it holds ends with the process.
    std::mem::forget(agent);
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

/// Samples for the interval, or until a signal, and prints what that shows.
fn look(agent: Agent, events: &Receiver<Event>, args: &TopArgs) -> Result<ExitCode, Failure> {
    let begun = Instant::now();
    // Nothing else can come: the only window has not ended.
    drop(events.recv_timeout(args.interval));
    let elapsed = begun.elapsed();
    agent.stop()?;
    let windows: Vec<Profile> = events.try_iter().filter_map(Event::into_window).collect();
    let mut profile = merge::merge(&windows)?;
    profile.duration_ns = elapsed.as_nanos() as u64;
    print(&Picture::of(&profile), args)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints every window until a signal comes.
fn follow(agent: &Agent, events: &Receiver<Event>, args: &TopArgs) -> anyhow::Result<()> {
    loop {
        match events.recv_timeout(Duration::from_secs(1)) {
            Ok(Event::Window(profile)) => print(&Picture::of(&profile), args)?,
            Ok(Event::Signal(_)) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if agent.is_running() => {}
            Err(_) => return Err(anyhow!("the agent has ended")),
        }
    }
}

fn print(picture: &Picture, args: &TopArgs) -> anyhow::Result<()> {
    let picture = picture.first(args.rows);
    let text = if args.json { serde_json::to_string(&picture)? + "\n" } else { picture.to_text() };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Samples that were taken and are in no window.
fn lost(agent: &Agent) -> u64 {
    agent.stats().read().undelivered.values().sum()
}

/// Shows the windows until `q` is pressed.
fn live(agent: &Agent, events: &Receiver<Event>) -> anyhow::Result<()> {
    // What is lost is shown on the screen.
    let _muted = logging::mute();
    let mut screen = Screen::open()?;
    loop {
        match events.recv_timeout(TICK) {
            Ok(Event::Window(profile)) => screen.show(Picture::of(&profile), lost(agent))?,
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
