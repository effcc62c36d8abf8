//! One run of `infrared record`, from the moment it samples to its output.

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Folded, infrared_binary, scratch_dir};

/// From the start of the process until it samples: it reads all that runs on the machine before.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// From the end of the sampling until the output is written.
const END_PATIENCE: Duration = Duration::from_mins(1);

/// Recordings are ended by the one who started them; one that is forgotten ends by itself.
const LIMIT: &str = "600s";

/// What is to be recorded.
#[derive(Clone, Debug)]
pub struct Request {
    /// None means the whole machine.
    pub pids: Vec<u32>,
    /// Samples per second of CPU time.
    pub hz: u32,
}

impl Request {
    pub fn machine(hz: u32) -> Self {
        Self { pids: Vec::new(), hz }
    }

    /// The command that a person would type for it.
    pub fn command(&self) -> Result<Command> {
        let mut command = Command::new(infrared_binary()?);
        command.args(["record", "-F", &self.hz.to_string()]);
        command.args(["-d", LIMIT]);
        for pid in &self.pids {
            command.args(["-p", &pid.to_string()]);
        }
        Ok(command)
    }
}

/// The counters of `record --stats FILE`: reasons to counts.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct Stats {
    pub samples_taken: u64,
    pub samples_lost: std::collections::BTreeMap<String, u64>,
    /// User frames unwound in the kernel.
    pub frames: u64,
    /// Nanoseconds; 0 without `kernel.bpf_stats_enabled`.
    pub bpf_run_ns: u64,
    pub bpf_runs: u64,
    pub table_rows: u64,
    pub table_bytes: u64,
    pub truncated: std::collections::BTreeMap<String, u64>,
    /// Stacks that were finished outside the kernel.
    pub deferred: u64,
    /// What had to be given up, by kind; nothing that did not happen. Older binaries that are compared do not say it.
    #[serde(default)]
    pub losses: std::collections::BTreeMap<String, u64>,
}

impl Stats {
    pub fn lost(&self) -> u64 {
        self.samples_lost.values().sum()
    }
}

/// A finished recording.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub folded: Folded,
    pub stats: Stats,
    pub hz: u32,
}

/// A recording that is under way. Killed when dropped.
#[derive(Debug)]
pub struct Recording {
    child: Child,
    said: Receiver<String>,
    log: String,
    dir: TempDir,
    request: Request,
}

impl Recording {
    /// Starts recording; on return it samples: the command has said so by a line with the word "recording".
    pub fn start(request: Request) -> Result<Self> {
        let dir = scratch_dir()?;
        let output = dir.path().join("folded.txt");
        Self::spawn(request, dir, "folded", &output)
    }

    /// The same with an output that the caller reads.
    pub fn start_as(request: Request, format: &str, output: &Path) -> Result<Self> {
        Self::spawn(request, scratch_dir()?, format, output)
    }

    fn spawn(request: Request, dir: TempDir, format: &str, output: &Path) -> Result<Self> {
        let mut command = request.command()?;
        command.args(["--format", format, "-o"]).arg(output);
        command.arg("--stats").arg(dir.path().join("stats.json"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let errors = child.stderr.take().context("standard error is piped")?;
        let said = listen(errors)?;
        let mut recording = Self { child, said, log: String::new(), dir, request };
        recording.await_start()?;
        Ok(recording)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it record for `duration`. That it ends before is an error.
    pub fn go_on_for(&mut self, duration: Duration) -> Result<()> {
        let deadline = Instant::now() + duration;
        loop {
            match self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.note(&line),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("infrared record ended before its time:\n{}", self.log)
                }
            }
        }
    }

    /// Ends the sampling now, as Ctrl-C does.
    pub fn interrupt(&self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a child has a pid")?, Signal::INT).context("it has ended before")
    }

    /// Ends the sampling now and waits for the output.
    pub fn finish(self) -> Result<Outcome> {
        self.interrupt()?;
        self.outcome()
    }

    fn note(&mut self, line: &str) {
        self.log.push_str(line);
        self.log.push('\n');
    }

    fn await_start(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(line) => {
                    self.note(&line);
                    if line.to_ascii_lowercase().contains("recording") {
                        return Ok(());
                    }
                }
                Err(_) => bail!(
                    "infrared record does not say that it is recording. It said:\n{}",
                    self.log
                ),
            }
        }
    }

    /// Waits for the end of an interrupted recording and reads what it wrote.
    pub fn outcome(mut self) -> Result<Outcome> {
        let stats = self.ended()?;
        let folded = self.read("folded.txt")?.parse()?;
        Ok(Outcome { folded, stats, hz: self.request.hz })
    }

    /// Waits for the end of an interrupted recording whose output went elsewhere.
    pub fn ended(&mut self) -> Result<Stats> {
        let deadline = Instant::now() + END_PATIENCE;
        loop {
            match self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.note(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("infrared record does not end:\n{}", self.log)
                }
            }
        }
        let exit = self.child.wait()?;
        if !exit.success() {
            bail!("infrared record ended with {exit}:\n{}", self.log);
        }
        serde_json::from_str(&self.read("stats.json")?).context("unexpected counters")
    }

    fn read(&self, name: &str) -> Result<String> {
        let text = std::fs::read_to_string(self.dir.path().join(name));
        text.with_context(|| format!("infrared record wrote no {name}:\n{}", self.log))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What is written to standard error, cut at every end of a line and at every return: progress is rewritten in place.
fn listen(mut errors: ChildStderr) -> Result<Receiver<String>> {
    let (sender, receiver) = sync_channel(1024);
    std::thread::Builder::new().name("record-stderr".into()).spawn(move || {
        let mut pending = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = errors.read(&mut buffer) {
            for &byte in &buffer[..length] {
                if !matches!(byte, b'\n' | b'\r') {
                    pending.push(byte);
                } else if sender.send(text(&mut pending)).is_err() {
                    return;
                }
            }
        }
        // Nobody listens any more if this fails.
        sender.send(text(&mut pending)).unwrap_or_default();
    })?;
    Ok(receiver)
}

fn text(pending: &mut Vec<u8>) -> String {
    String::from_utf8_lossy(&std::mem::take(pending)).into_owned()
}
