//! Holds on to the processes that are recorded, to notice that they end.

use std::{io, os::fd::OwnedFd};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};

/// A process that cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    #[error("there is no process {0}")]
    NoProcess(u32),
    #[error("{0} is a thread, not a process: give the process it belongs to")]
    Thread(u32),
    #[error("cannot watch process {pid}: {source}")]
    Other { pid: u32, source: io::Error },
}

/// Processes that are watched until they end.
#[derive(Debug, Default)]
pub(super) struct Watched(Vec<(u32, OwnedFd)>);

impl Watched {
    /// Fails if one of them does not exist, or has ended and waits for its parent only.
    pub(super) fn open(pids: &[u32]) -> Result<Self, WatchError> {
        let mut watched = Self::default();
        for &pid in pids {
            let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let file = match pidfd_open(id.ok_or(WatchError::NoProcess(pid))?, PidfdFlags::empty())
            {
                Ok(file) => file,
                Err(Errno::SRCH) => return Err(WatchError::NoProcess(pid)),
                // EINVAL until Linux 6.15, ENOENT since
                Err(Errno::INVAL | Errno::NOENT) => return Err(WatchError::Thread(pid)),
                Err(errno) => return Err(WatchError::Other { pid, source: errno.into() }),
            };
            if has_ended(&file) {
                return Err(WatchError::NoProcess(pid));
            }
            watched.0.push((pid, file));
        }
        Ok(watched)
    }

    /// Forgets those that have ended, and returns them.
    pub(super) fn take_ended(&mut self) -> Vec<u32> {
        let ended = self.0.extract_if(.., |(_, file)| has_ended(file));
        ended.map(|(pid, _)| pid).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A pidfd is readable once its process has ended, see `pidfd_open(2)`.
fn has_ended(file: &OwnedFd) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_end_of_a_process_is_noticed() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let mut watched = Watched::open(&[child.id(), std::process::id()]).unwrap();
        assert!(watched.take_ended().is_empty());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(watched.take_ended(), [child.id()]);
        assert!(watched.take_ended().is_empty());
        assert!(!watched.is_empty());
    }

    #[test]
    fn what_is_no_process_is_refused() {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(matches!(Watched::open(&[child.id()]), Err(WatchError::NoProcess(_))));
        let thread = std::thread::Builder::new();
        let refused = thread
            .spawn(|| Watched::open(&[rustix::thread::gettid().as_raw_nonzero().get() as u32]));
        assert!(matches!(refused.unwrap().join().unwrap(), Err(WatchError::Thread(_))));
    }
}
