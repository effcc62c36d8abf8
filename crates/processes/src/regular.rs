//! Opening regular files that someone else has put there, and nothing but regular files: opening a
//! device or a pipe has effects, or never returns.
//!
//! What is found is looked at before it is opened, and opened by what was looked at: a path can lead elsewhere a moment
//! later. What remains is a file system in user space, which can leave every lookup and read without an answer. So foreign
//! files are opened on threads that may be lost, see [`crate::image::open`].

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};

use crate::{Error, ProcessDir};

/// Where a path may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolve {
    /// Anywhere, as for the links of `/proc`.
    Anywhere,
    /// Symbolic links and `..` stay below the directory, so that a link in a container cannot lead to
    /// a file of the host.
    Beneath,
}

/// Opens the regular file `path` below `directory` for reading, and tells its length.
pub(crate) fn open_regular(
    directory: impl AsFd,
    path: &Path,
    resolve: Resolve,
) -> io::Result<(File, u64)> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let handle = match resolve {
        Resolve::Anywhere => rustix::fs::openat(directory, path, flags, Mode::empty())?,
        Resolve::Beneath => {
            rustix::fs::openat2(directory, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?
        }
    };
    let status = rustix::fs::fstat(&handle)?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let reopened = format!("/proc/self/fd/{}", handle.as_raw_fd());
    // without waiting until the owner of a lease gives it up, for which the kernel leaves it 45 s (fcntl(2), F_SETLEASE)
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(reopened, flags, Mode::empty())?;
    Ok((File::from(file), u64::try_from(status.st_size).unwrap_or(0)))
}

impl ProcessDir {
    /// At most `limit` bytes of the file at `path` as the process sees the file system.
    pub fn read_in_root(&self, path: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let read = || -> io::Result<Vec<u8>> {
            let root = rustix::fs::openat(self.place_of("root"), "root", flags, Mode::empty())?;
            let (file, _) = open_regular(root, Path::new(path), Resolve::Beneath)?;
            let mut content = Vec::new();
            file.take(limit).read_to_end(&mut content)?;
            Ok(content)
        };
        read().map_err(|error| self.failed("root", error))
    }
}
