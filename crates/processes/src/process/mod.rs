//! One process at one moment: what `/proc/PID` says of it.
//!
//! [`Process::read`] takes everything that identity needs in about ten small reads; each file also has
//! a reader of its own on [`ProcessDir`]. A process that exits meanwhile is [`Error::Gone`]. What we may
//! not see is left out and noted in [`Process::is_partial`].

mod cgroup;
mod cmdline;
mod consistent;
mod cpu_time;
mod environment;
mod stat;
mod status;
mod threads;

use std::path::PathBuf;

pub use cgroup::{Cgroup, Cgroups};
pub use cmdline::Cmdline;
pub use cpu_time::CpuTime;
pub use environment::{Environment, WantedVariables};
pub use stat::{Stat, start_boottime_ns};
pub use status::Status;
pub use threads::{Thread, Threads};

use crate::image::ElfClass;
use crate::{Error, Pid, ProcessDir};

/// The executable of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executable {
    /// As the kernel shows it, without ` (deleted)`.
    pub path: PathBuf,
    /// The file was unlinked or replaced since the process started.
    pub is_deleted: bool,
}

impl Executable {
    /// The file's name.
    pub fn base_name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// What is known of a process.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: Pid,
    pub stat: Stat,
    pub status: Status,
    pub cmdline: Cmdline,
    /// `None` for kernel threads, zombies, and where we may not look.
    pub executable: Option<Executable>,
    pub working_directory: Option<PathBuf>,
    pub cgroups: Cgroups,
    /// Only the variables that were asked for.
    pub environment: Environment,
    /// Permission was missing for something: `None` then does not mean that it is not there.
    pub is_partial: bool,
}

impl Process {
    /// Reads all of it. `wanted` are the environment variables to keep.
    pub fn read(process: &ProcessDir, wanted: &WantedVariables) -> Result<Self, Error> {
        let mut is_partial = false;
        let executable = if_allowed(process.executable(), &mut is_partial)?;
        let working_directory = if_allowed(process.optional_link("cwd"), &mut is_partial)?;
        let environment = if_allowed(process.environment(wanted), &mut is_partial)?;
        Ok(Self {
            pid: process.pid(),
            stat: process.stat()?,
            status: process.status()?,
            cmdline: process.cmdline()?,
            executable,
            working_directory,
            cgroups: process.cgroups()?,
            environment,
            is_partial,
        })
    }

    /// The process' id in its own pid namespace.
    pub fn namespace_pid(&self) -> Pid {
        self.status.namespace_pids.last().copied().unwrap_or(self.pid)
    }

    /// A kernel thread: no executable, no mappings.
    pub fn is_kernel_thread(&self) -> bool {
        self.stat.is_kernel_thread()
    }
}

impl ProcessDir {
    /// The executable; `None` for kernel threads and zombies.
    pub fn executable(&self) -> Result<Option<Executable>, Error> {
        let Some(path) = self.optional_link("exe")? else { return Ok(None) };
        let kept = path.to_str().and_then(|path| path.strip_suffix(" (deleted)"));
        Ok(Some(match kept {
            Some(kept) => Executable { path: PathBuf::from(kept), is_deleted: true },
            None => Executable { path, is_deleted: false },
        }))
    }

    /// The class of the executable: a 32-bit process on a 64-bit kernel has its own register and
    /// system call conventions. `None` without an ELF executable.
    pub fn executable_class(&self) -> Result<Option<ElfClass>, Error> {
        let mut start = [0; 5];
        let file = match self.open("exe") {
            Ok(file) => file,
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let length = crate::image::ByteSource::read_at(&file, 0, &mut start)
            .map_err(|error| self.failed("exe", error))?;
        Ok(match &start[..length] {
            b"\x7fELF\x01" => Some(ElfClass::Bits32),
            b"\x7fELF\x02" => Some(ElfClass::Bits64),
            _ => None,
        })
    }

    /// The root directory as the process sees the file system, to be opened from here:
    /// `/proc/PID/root`.
    pub fn root_path(&self) -> PathBuf {
        self.path().join("root")
    }

    pub(crate) fn optional_link(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        match self.read_link(name) {
            Ok(target) => Ok(Some(target)),
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// What was read; nothing, and a note of it, if it was refused.
fn if_allowed<T: Default>(read: Result<T, Error>, is_partial: &mut bool) -> Result<T, Error> {
    match read {
        Err(error) if error.is_denied() => {
            *is_partial = true;
            Ok(T::default())
        }
        other => other,
    }
}
