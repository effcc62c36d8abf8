//! A running ground-truth program, driven by the handshake of `programs/c/handshake.h`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long a program may take to say anything that it owes: a hang is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a shares program says about itself at its end.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Truth {
    pub turns: u64,
    /// By `CLOCK_PROCESS_CPUTIME_ID`.
    pub process_cpu_ns: u64,
    /// By `CLOCK_THREAD_CPUTIME_ID` around every turn: leaf function to what it burned.
    pub cpu_ns: BTreeMap<String, u64>,
}

impl Truth {
    /// The true share, 0 to 1, of each leaf.
    pub fn shares(&self) -> impl Iterator<Item = (&str, f64)> {
        let total: u64 = self.cpu_ns.values().sum();
        self.cpu_ns.iter().map(move |(name, ns)| (name.as_str(), *ns as f64 / total.max(1) as f64))
    }
}

/// Killed when dropped.
#[derive(Debug)]
pub struct Target {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// What followed READY on its line.
    pub greeting: String,
}

impl Target {
    /// Starts `command` and waits until it is ready. It does nothing yet.
    pub fn start(mut command: Command) -> Result<Self> {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.with_context(|| format!("cannot run {command:?}"))?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("standard output is piped")?;
        let (sender, lines) = sync_channel(64);
        std::thread::Builder::new().name("target-output".into()).spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        })?;
        let mut target = Self { child, input, lines, greeting: String::new() };
        target.await_ready().with_context(|| format!("{command:?} is not ready"))?;
        Ok(target)
    }

    fn await_ready(&mut self) -> Result<()> {
        let line = self.line()?;
        let Some(greeting) = line.strip_prefix("READY") else {
            bail!("it says {line:?} where READY belongs");
        };
        greeting.trim().clone_into(&mut self.greeting);
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets the work begin.
    pub fn release(&mut self) -> Result<()> {
        self.say("go")
    }

    /// Has a program that another one follows in its process give way to that, and waits until it is ready.
    pub fn give_way(&mut self) -> Result<()> {
        self.say("next")?;
        self.await_ready().context("no program follows")
    }

    /// Asks for the end of the work and waits for the end of the process.
    pub fn stop(mut self) -> Result<()> {
        self.say("stop")?;
        self.leave()
    }

    /// Waits until a program that was given a time is through with it. The process is still there afterwards.
    pub fn truth(&mut self, work: Duration) -> Result<Truth> {
        let line = self.lines.recv_timeout(work + PATIENCE).context("the program says no truth")?;
        serde_json::from_str(&line).with_context(|| format!("not a truth: {line:?}"))
    }

    /// Closes its input and waits for its end.
    pub fn leave(mut self) -> Result<()> {
        drop(self.input.take());
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => bail!("process {} does not end", self.pid()),
            }
        }
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { bail!("process {} ended with {status}", self.pid()) }
    }

    fn say(&mut self, word: &str) -> Result<()> {
        let input = self.input.as_mut().context("the input is closed")?;
        // In one write: a program that saw half a line would take the other half for the next word.
        let line = format!("{word}\n");
        if input.write_all(line.as_bytes()).is_ok() {
            return Ok(());
        }
        let status = self.child.wait()?;
        bail!("process {} ended with {status} before it was told {word:?}", self.child.id())
    }

    fn line(&mut self) -> Result<String> {
        self.lines.recv_timeout(PATIENCE).context("no line from the program")
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
