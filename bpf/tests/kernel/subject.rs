//! A child process that burns CPU time, forks, maps and execs when it is told.

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

use crate::support::{program, scratch};

/// `programs/subject.c` at its prompt.
#[derive(Debug)]
pub(crate) struct Subject {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Subject {
    /// Starts one, and waits until it is ready.
    pub(crate) fn start() -> Self {
        let mut child = Command::new(executable())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut subject = Self { child, input, output };
        assert_eq!(subject.answer(), "ready");
        subject
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn answer(&mut self) -> String {
        self.output.next().expect("the subject lives").unwrap()
    }

    /// Has a command done, and returns the answer.
    pub(crate) fn tell(&mut self, command: &str) -> String {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        self.answer()
    }

    /// As `tell`, for answers that are numbers.
    pub(crate) fn numbers(&mut self, command: &str) -> Vec<u64> {
        self.tell(command).split(' ').map(|word| word.parse().unwrap()).collect()
    }

    /// `mm->start_stack`: field 28 of proc(5)'s stat.
    pub(crate) fn start_stack(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // The command's name, in brackets, is field 2 and may hold anything.
        let (_, rest) = stat.rsplit_once(')').unwrap();
        rest.split_whitespace().nth(25).unwrap().parse().unwrap()
    }

    /// Lets it end by itself.
    pub(crate) fn end(&mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // Gone already where it has ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The subject's file, compiled once.
pub(crate) fn executable() -> String {
    static BUILT: OnceLock<String> = OnceLock::new();
    let build = || {
        let flags = ["-O2", "-fomit-frame-pointer"];
        let path = program("subject", "gcc", "subject.c", &flags);
        assert!(path.starts_with(scratch()));
        path.display().to_string()
    };
    BUILT.get_or_init(build).clone()
}
