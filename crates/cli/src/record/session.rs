//! A recording under way: what ends it, and what it passes on to the command that it runs.

use std::{
    os::unix::process::ExitStatusExt,
    process::{Child, ExitCode, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::Duration,
};

use infrared_agent::{Agent, AgentStats, SharedStats};
use infrared_processes::HeldChild;
use rustix::process::{Pid, Signal as ProcessSignal, kill_process};
use signal_hook::consts::SIGTERM;

use super::{collect::Collector, plan::Plan, plan::Subject, progress::Progress, watched::Watched};
use crate::{failure::Failure, signals::Signal};

/// How often the progress is shown and the processes are looked after.
const TICK: Duration = Duration::from_millis(200);

/// What can happen while recording.
#[derive(Debug)]
pub(super) enum Event {
    Signal(Signal),
    /// The command has ended.
    Exited(std::io::Result<ExitStatus>),
}

/// A command that was let go.
#[derive(Debug)]
struct Command {
    pid: u32,
    /// A terminal's Ctrl-C has reached it, or we passed a signal on.
    was_told: bool,
    status: Option<ExitStatus>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Session {
    agent: Agent,
    stats: SharedStats,
    watched: Watched,
    command: Option<Command>,
    events: Receiver<Event>,
    progress: Progress,
    at_once: Arc<AtomicBool>,
}

/// What a session is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) agent: Agent,
    pub(super) watched: Watched,
    pub(super) held: Option<HeldChild>,
    pub(super) sender: SyncSender<Event>,
    pub(super) events: Receiver<Event>,
    /// Makes the next signal end the process.
    pub(super) at_once: Arc<AtomicBool>,
}

/// A recording that ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) stats: AgentStats,
    failure: Option<anyhow::Error>,
    status: Option<ExitStatus>,
}

/// Why to stop sampling.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    Asked,
    TimeUp,
    CommandEnded,
    ProcessesEnded,
    AgentEnded,
    Full,
}

impl Session {
    /// The agent samples: says so, and releases the command.
    pub(super) fn begin(plan: &Plan, parts: Parts) -> Result<Self, Failure> {
        let Parts { agent, watched, held, sender, events, at_once } = parts;
        let stats = agent.stats();
        let subject = crate::terminal::harmless(&plan.subject_text());
        let command = held.map(|held| release(held, sender, &plan.subject)).transpose()?;
        let progress = Progress::start(&subject, plan.frequency_hz, plan.duration);
        Ok(Self { agent, stats, watched, command, events, progress, at_once })
    }

    /// Records until something ends it, and stops the agent.
    pub(super) fn run(mut self, collector: &Collector) -> End {
        let stop = self.wait_for_end(collector);
        self.at_once.store(true, Ordering::Relaxed);
        self.progress.clear();
        match stop {
            Stop::Asked | Stop::CommandEnded | Stop::AgentEnded | Stop::ProcessesEnded => {}
            Stop::TimeUp => self.end_command(),
            Stop::Full => eprintln!("the recording has grown too large: it ends here"),
        }
        // What is missing is told, and what is there is written.
        let failure = self.agent.stop().err().map(anyhow::Error::from);
        let status = self.command.and_then(|command| command.status);
        End { stats: self.stats.read(), failure, status }
    }

    fn wait_for_end(&mut self, collector: &Collector) -> Stop {
        let watches_processes = !self.watched.is_empty();
        loop {
            let tick = self.progress.left().map_or(TICK, |left| left.min(TICK));
            match self.events.recv_timeout(tick) {
                Ok(Event::Signal(signal)) => {
                    if self.take_signal(signal) {
                        return Stop::Asked;
                    }
                }
                Ok(Event::Exited(status)) => {
                    self.note_exit(status);
                    return Stop::CommandEnded;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if self.progress.left().is_some_and(|left| left.is_zero()) {
                return Stop::TimeUp;
            }
            for pid in self.watched.take_ended() {
                self.progress.clear();
                let elapsed = self.progress.elapsed().as_secs_f64();
                eprintln!("process {pid} ended after {elapsed:.1} s");
            }
            if watches_processes && self.watched.is_empty() {
                return Stop::ProcessesEnded;
            }
            if !self.agent.is_running() {
                return Stop::AgentEnded;
            }
            if collector.is_full() {
                return Stop::Full;
            }
            self.progress.show(samples(&self.stats.read()));
        }
    }

    /// Whether to end now. A command is given the signal and the chance to end by itself, once.
    fn take_signal(&mut self, signal: Signal) -> bool {
        let Some(command) = &mut self.command else { return true };
        if command.was_told {
            return true;
        }
        command.was_told = true;
        if !signal.from_terminal {
            command.send(if signal.number == SIGTERM {
                ProcessSignal::TERM
            } else {
                ProcessSignal::INT
            });
        }
        false
    }

    /// The time is up before the command has ended.
    fn end_command(&mut self) {
        let Some(command) = &mut self.command else { return };
        command.send(ProcessSignal::TERM);
    }

    fn note_exit(&mut self, status: std::io::Result<ExitStatus>) {
        match (status, &mut self.command) {
            (Ok(status), Some(command)) => command.status = Some(status),
            (Err(error), _) => tracing::warn!(%error, "cannot wait for the command"),
            (Ok(_), None) => {}
        }
    }
}

/// Samples so far.
fn samples(stats: &AgentStats) -> u64 {
    stats.kernel.get("samples_taken").copied().unwrap_or(0)
}

impl Command {
    fn send(&self, signal: ProcessSignal) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        // It has not been waited for twice, so the pid is still its own; that it has just ended is no error.
        if let Some(pid) = pid
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::debug!(%error, "the command has ended already");
        }
    }
}

fn release(
    held: HeldChild,
    sender: SyncSender<Event>,
    subject: &Subject,
) -> Result<Command, Failure> {
    let pid = held.pid().0;
    let child = held.release().map_err(|error| {
        let Subject::Command(words) = subject else { return Failure::from(error) };
        let program = words.first().map(|word| word.display().to_string()).unwrap_or_default();
        let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
        Failure::CannotRun { program, error, code }
    })?;
    thread::Builder::new().name("ir-command".into()).spawn(move || wait(child, &sender))?;
    Ok(Command { pid, was_told: false, status: None })
}

fn wait(mut child: Child, sender: &SyncSender<Event>) {
    // If nobody listens, the recording has ended before the command.
    drop(sender.send(Event::Exited(child.wait())));
}

impl End {
    /// The exit code, once everything is written.
    pub(super) fn finish(self) -> Result<ExitCode, Failure> {
        match (self.failure, self.status) {
            (Some(failure), _) => Err(Failure::Failed(failure)),
            (None, Some(status)) => Ok(exit_code(status)),
            (None, None) => Ok(ExitCode::SUCCESS),
        }
    }
}

/// As shells have it: 128 + N for a command that signal N ended.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_commands() {
        for (raw, code) in [(0, 0), (3 << 8, 3), (2, 130), (15, 143)] {
            let status = ExitStatus::from_raw(raw);
            assert_eq!(exit_code(status), ExitCode::from(code), "{raw:#x}");
        }
    }
}
