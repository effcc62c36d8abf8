//! Starts a program that waits, before its first instruction, until it is released.
//!
//! The child is forked and has its final pid, but has not executed the program. A profiler selects the pid, starts to
//! sample, and lets it go. This module does not wait for the child's end: that is [`Child`]'s business.

#![expect(unsafe_code, reason = "Command::pre_exec runs between fork and exec")]

use std::io::{self, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::thread::{Builder, JoinHandle};

use crate::Pid;

/// A child that has not executed its program yet. It never will if this is dropped.
#[derive(Debug)]
pub struct HeldChild {
    pid: Pid,
    /// A byte lets the child go on; the end of the pipe makes it give up.
    gate: Option<PipeWriter>,
    /// `Command::spawn` returns when the program runs, so it waits on a thread of its own.
    spawner: Option<JoinHandle<io::Result<Child>>>,
}

/// Forks the child for `command` and holds it. Fails only if it cannot be forked: that the program does not exist is
/// told by [`HeldChild::release`].
pub fn spawn_held(mut command: Command) -> io::Result<HeldChild> {
    let (gate_reader, gate) = io::pipe()?;
    let (mut pid_reader, pid_writer) = io::pipe()?;
    let gate_in_child = gate.as_raw_fd();
    let wait = move || {
        close_inherited(gate_in_child);
        (&pid_writer).write_all(&std::process::id().to_ne_bytes())?;
        let mut byte = [0];
        // An `io::Error` with a message of its own would allocate.
        (&gate_reader)
            .read_exact(&mut byte)
            .map_err(|_| io::Error::from_raw_os_error(libc::ECANCELED))
    };
    // SAFETY: between fork and exec it makes only the system calls close, getpid, read and write, on descriptors that
    // it owns; nothing allocates or takes a lock.
    unsafe { command.pre_exec(wait) };
    let spawner = Builder::new().name("ir-spawn".into()).spawn(move || command.spawn())?;
    let mut pid = [0; 4];
    if pid_reader.read_exact(&mut pid).is_err() {
        let failed =
            spawner.join().map_err(|_| io::Error::other("the spawning thread panicked"))?;
        return Err(failed.err().unwrap_or_else(|| io::Error::other("the child has no pid")));
    }
    let pid = Pid(u32::from_ne_bytes(pid));
    Ok(HeldChild { pid, gate: Some(gate), spawner: Some(spawner) })
}

impl HeldChild {
    /// The pid that the program will have.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets the child execute its program. The error is that of `exec`: such as a program that does not exist.
    pub fn release(mut self) -> io::Result<Child> {
        if let Some(mut gate) = self.gate.take() {
            gate.write_all(&[1])?;
        }
        self.join()
    }

    fn join(&mut self) -> io::Result<Child> {
        let ended = self.spawner.take().map(JoinHandle::join);
        ended
            .and_then(Result::ok)
            .unwrap_or_else(|| Err(io::Error::other("the spawning thread panicked")))
    }
}

impl Drop for HeldChild {
    fn drop(&mut self) {
        if self.gate.take().is_some() {
            // The child gave up: there is nobody to wait for.
            drop(self.join());
        }
    }
}

/// Closes the child's copy of the gate's other end, which would keep the pipe open when the parent is gone.
fn close_inherited(file: RawFd) {
    // SAFETY: the descriptor is the copy that fork made; nothing in the child uses it.
    unsafe { libc::close(file) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn touching(file: &Path) -> Command {
        let mut command = Command::new("touch");
        command.arg(file);
        command
    }

    #[test]
    fn the_program_starts_only_after_release() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("started");
        let held = spawn_held(touching(&file)).unwrap();
        let pid = held.pid();
        let executable = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        assert_eq!(executable, std::env::current_exe().unwrap(), "it has not executed the program");
        assert!(!file.exists());
        let mut child = held.release().unwrap();
        assert_eq!(child.id(), pid.0);
        assert!(child.wait().unwrap().success());
        assert!(file.exists());
    }

    #[test]
    fn a_child_that_is_never_released_never_runs() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("started");
        let held = spawn_held(touching(&file)).unwrap();
        let pid = held.pid();
        drop(held);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        assert!(!file.exists());
    }

    #[test]
    fn a_program_that_does_not_exist_is_told_at_release() {
        let held = spawn_held(Command::new("/no/such/program")).unwrap();
        assert_eq!(held.release().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
