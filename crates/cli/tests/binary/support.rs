//! Runs the program and reads what it says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn infrared(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infrared"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("INFRARED_CONFIG").env_remove("INFRARED_LOG");
    command
}

/// A shell that is on a CPU until it is dropped.
#[derive(Debug)]
pub(crate) struct Busy(Child);

impl Busy {
    pub(crate) fn start() -> Self {
        Self(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// What a run that ends by itself has said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn run(arguments: &[&str]) -> Said {
    let output = infrared(arguments).output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[track_caller]
pub(crate) fn assert_says(arguments: &[&str], code: i32, words: &[&str]) {
    let said = run(arguments);
    assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
    for word in words {
        assert!(said.stderr.contains(word), "{arguments:?} does not say {word:?}: {}", said.stderr);
    }
}

/// A run that goes on until it is told to end. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    errors: BufReader<ChildStderr>,
    pub(crate) said: String,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = infrared(arguments).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        Self { child, errors, said: String::new() }
    }

    /// Reads lines up to the first that contains `word`, and returns it.
    #[track_caller]
    pub(crate) fn await_line(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.errors.read_line(&mut line).unwrap();
            assert!(length > 0, "it ended without saying {word:?}:\n{}", self.said);
            self.said.push_str(&line);
            if line.contains(word) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; `said` then holds all its words.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.errors.read_to_string(&mut self.said).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The body of what is at `path`.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Asks again until `is_there`.
#[track_caller]
pub(crate) fn await_answer(address: SocketAddr, path: &str, is_there: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut answer = get(address, path);
    while !is_there(&answer) {
        assert!(Instant::now() < deadline, "{path} is still:\n{answer}");
        std::thread::yield_now();
        answer = get(address, path);
    }
}

/// The address after `before` in a line.
#[track_caller]
pub(crate) fn address_after(line: &str, before: &str) -> SocketAddr {
    let rest = line.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {line:?}")).1;
    let end = rest.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(rest.len());
    rest[..end].parse().unwrap_or_else(|error| panic!("{error}: {line:?}"))
}
