//! The root of a `/proc` tree, and one process in it.
//!
//! A [`ProcessDir`] holds the directory of its process open, so everything read through it belongs
//! to the same process even when the pid is reused meanwhile: reads then fail with [`Error::Gone`].
//! This module knows how to read, not what the files mean.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, Mode, OFlags};
use serde::Serialize;

use crate::Error;
use crate::mounts::Mounts;

/// A process (thread group) id, in the pid namespace that the `/proc` tree was mounted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Pid(pub u32);

impl fmt::Display for Pid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl From<u32> for Pid {
    fn from(id: u32) -> Self {
        Self(id)
    }
}

/// A `/proc` tree: the real one, or a captured one in tests.
#[derive(Debug, Clone)]
pub struct ProcFs {
    root: PathBuf,
}

impl ProcFs {
    /// The tree at `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The tree of the running kernel, at `/proc`.
    pub fn system() -> Self {
        Self::at("/proc")
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Holds on to the process `pid`. [`Error::Gone`] when there is none.
    pub fn process(&self, pid: Pid) -> Result<ProcessDir, Error> {
        let path = self.root.join(pid.to_string());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(dir) => {
                let mounts = OnceLock::new();
                Ok(ProcessDir { pid, path, dir, thread: None, mounts }.with_living_thread())
            }
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::SRCH) => Err(Error::Gone(pid)),
            Err(errno) => Err(Error::Io { path, source: errno.into() }),
        }
    }

    /// All processes, in ascending order of pid.
    pub fn list(&self) -> Result<Vec<Pid>, Error> {
        let failed = |source| Error::Io { path: self.root.clone(), source };
        let mut pids = Vec::new();
        for entry in std::fs::read_dir(&self.root).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
                pids.push(Pid(pid));
            }
        }
        pids.sort_unstable();
        Ok(pids)
    }

    /// At most `limit` bytes of the file `name` of this tree.
    pub(crate) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let path = self.root.join(name);
        let read = || -> io::Result<Vec<u8>> {
            let mut content = Vec::new();
            File::open(&path)?.take(limit).read_to_end(&mut content)?;
            Ok(content)
        };
        read().map_err(|source| Error::Io { path: path.clone(), source })
    }
}

/// One process, held open.
#[derive(Debug)]
pub struct ProcessDir {
    pid: Pid,
    path: PathBuf,
    dir: OwnedFd,
    /// A thread that lives, where the main thread has ended: what belongs to the address space is read there.
    thread: Option<OwnedFd>,
    mounts: OnceLock<Mounts>,
}

impl ProcessDir {
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The path of this directory, `/proc/PID`: for messages and for tools that take a path, which
    /// then may meet another process of the same pid.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the process still exists (a zombie does).
    pub fn is_alive(&self) -> bool {
        rustix::fs::statat(&self.dir, "stat", AtFlags::empty()).is_ok()
    }

    /// Reads the process' memory at the runtime address `avma`; returns how many bytes could be read
    /// before the first unmapped page. Needs the right to trace the process.
    pub fn read_memory(&self, avma: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let memory = self.open("mem")?;
        let mut filled = 0;
        while filled < buffer.len() {
            match memory.read_at(&mut buffer[filled..], avma.wrapping_add(filled as u64)) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if filled > 0 => break,
                Err(error) => return Err(self.failed("mem", error)),
            }
        }
        Ok(filled)
    }

    /// The mounts that it sees, as they were when this was first asked for; none where they cannot be read.
    pub(crate) fn mounts(&self) -> &Mounts {
        self.mounts.get_or_init(|| Mounts::read(self).unwrap_or_default())
    }

    pub(crate) fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    pub(crate) fn hold_thread(&mut self, thread: OwnedFd) {
        self.thread = Some(thread);
    }

    pub(crate) fn thread(&self) -> Option<&OwnedFd> {
        self.thread.as_ref()
    }

    /// Where the file `name` is to be read.
    pub(crate) fn place_of(&self, name: &str) -> &OwnedFd {
        let first = name.split('/').next().unwrap_or_default();
        match &self.thread {
            Some(thread) if crate::group::OF_ADDRESS_SPACE.contains(&first) => thread,
            _ => &self.dir,
        }
    }

    pub(crate) fn open(&self, name: &str) -> Result<File, Error> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(self.place_of(name), name, flags, Mode::empty())
            .map(File::from)
            .map_err(|errno| self.failed(name, errno.into()))
    }

    /// At most `limit` bytes of the file `name`.
    pub(crate) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        self.open(name)?
            .take(limit)
            .read_to_end(&mut content)
            .map_err(|error| self.failed(name, error))?;
        Ok(content)
    }

    pub(crate) fn read_link(&self, name: &str) -> Result<PathBuf, Error> {
        rustix::fs::readlinkat(self.place_of(name), name, Vec::new())
            .map(|target| PathBuf::from(OsString::from_vec(target.into_bytes())))
            .map_err(|errno| self.failed(name, errno.into()))
    }

    /// The names in the sub-directory `name` that are numbers, at most `limit`, ascending.
    pub(crate) fn list_numbers(&self, name: &str, limit: usize) -> Result<Vec<u32>, Error> {
        let directory = self.open(name)?;
        let entries = rustix::fs::Dir::read_from(directory)
            .map_err(|errno| self.failed(name, errno.into()))?;
        let mut numbers = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|errno| self.failed(name, errno.into()))?;
            if let Some(number) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok())
            {
                numbers.push(number);
            }
            if numbers.len() >= limit {
                break;
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Tells an exit from a failure: a file of a dead process answers ESRCH when it is open, and
    /// ENOENT when it is not.
    pub(crate) fn failed(&self, name: &str, source: io::Error) -> Error {
        let is_gone = match source.raw_os_error() {
            Some(libc::ESRCH) => true,
            Some(libc::ENOENT) => !self.is_alive(),
            _ => false,
        };
        if is_gone {
            Error::Gone(self.pid)
        } else {
            Error::Io { path: self.path.join(name), source }
        }
    }

    pub(crate) fn malformed(&self, name: &str, what: &'static str) -> Error {
        Error::Malformed { path: self.path.join(name), what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_pid_that_does_not_exist_is_gone() {
        assert!(ProcFs::system().process(Pid(u32::MAX)).unwrap_err().is_gone());
    }

    #[test]
    fn the_list_contains_this_process_and_is_sorted() {
        let pids = ProcFs::system().list().unwrap();
        assert!(pids.contains(&Pid(std::process::id())));
        assert!(pids.is_sorted());
    }

    #[test]
    fn a_process_that_exits_while_it_is_held_reads_as_gone() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let process = ProcFs::system().process(Pid(child.id())).unwrap();
        let opened_before = process.open("stat").unwrap();
        assert!(process.is_alive());
        drop(child.stdin.take());
        child.wait().unwrap();

        assert!(!process.is_alive());
        for name in ["stat", "status", "maps", "cmdline", "cgroup", "environ"] {
            assert!(process.read(name, 100).unwrap_err().is_gone(), "{name}");
        }
        assert!(process.read_link("exe").unwrap_err().is_gone());
        assert!(process.list_numbers("task", 10).unwrap_err().is_gone());
        let read_after = (&opened_before).read_to_end(&mut Vec::new()).unwrap_err();
        assert!(process.failed("stat", read_after).is_gone());
    }

    #[test]
    fn memory_is_read_up_to_the_first_unmapped_page() {
        let process = ProcFs::system().process(Pid(std::process::id())).unwrap();
        let known = *b"memory of this very process";
        let mut buffer = [0; 27];
        let length = process.read_memory(known.as_ptr() as u64, &mut buffer).unwrap();
        assert_eq!((length, buffer), (27, known));
        assert!(process.read_memory(8, &mut buffer).is_err());
    }
}
