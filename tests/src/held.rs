//! Processes that do not run: held still from outside, or ended in part.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(10);

/// A process that is stopped while this lives.
#[derive(Debug)]
pub struct Held {
    pid: Pid,
}

impl Held {
    /// Stops the process `pid`; on return none of its threads runs.
    pub fn still(pid: u32) -> Result<Self> {
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).context("not a process id")?;
        kill_process(raw, Signal::STOP).with_context(|| format!("cannot stop {pid}"))?;
        let held = Self { pid: raw };
        await_state(pid, 'T')?;
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // An error means that it has ended meanwhile.
        kill_process(self.pid, Signal::CONT).unwrap_or_default();
    }
}

/// Waits until the main thread of `pid` is in the state of this letter, proc(5).
pub fn await_state(pid: u32, state: char) -> Result<()> {
    let path = format!("/proc/{pid}/stat");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        // The command before it may hold spaces and brackets.
        let is = stat.rsplit_once(") ").and_then(|(_, fields)| fields.chars().next());
        if is == Some(state) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("process {pid} is in state {is:?}, not {state:?}");
        }
        std::thread::yield_now();
    }
}
