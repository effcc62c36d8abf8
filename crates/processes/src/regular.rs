//! Opening regular files that someone else has put there, and nothing but regular files: opening a
//! device or a pipe has effects, or never returns.
//!
//! What is found is looked at before it is opened, and opened by what was looked at: a path can lead elsewhere a moment
//! later. A file system in user space can leave every lookup and read without an answer, for ever. So a path is followed step by
//! step, and none is taken into such a one: what tells them is known to the kernel alone (see [`crate::mounts`]). Who serves a
//! file system below another (overlayfs) is not seen.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags};

use crate::maps::Device;
use crate::mounts::{FileSystem, Mounts};
use crate::{Error, ProcessDir};

/// As many symbolic links as the kernel follows, see `path_resolution(7)`.
const MOST_LINKS: usize = 40;
/// Directories within each other: each is held open.
const DEEPEST: usize = 128;

/// Opens the regular file that a link in the directory of a process leads to, unless a process serves it, and tells its length.
pub(crate) fn open_link(
    process: &ProcessDir,
    link: &str,
    is_from_nowhere: bool,
) -> io::Result<(File, u64)> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = rustix::fs::openat(process.place_of(link), link, flags, Mode::empty())?;
    let status = what_is_known_of(&found)?;
    let file_system = process.mounts().of_found(status.stx_mnt_id, device_of(&status));
    // a memfd is of a mount that nobody sees
    if file_system != Some(FileSystem::Kernel) && !(is_from_nowhere && file_system.is_none()) {
        return Err(served());
    }
    open_found(&found)
}

/// Opens the regular file at `path` as whoever sees these `mounts` has it below their `root`. Symbolic links and `..` stay below that,
/// so that a link in a container cannot lead to a file of the host.
pub(crate) fn open_below(root: OwnedFd, path: &Path, mounts: &Mounts) -> io::Result<(File, u64)> {
    let mut walk = Walk { mounts, inside: vec![root], ahead: steps_of(path), links: 0 };
    let first = walk.inside.first().ok_or(io::ErrorKind::NotFound)?;
    walk.check(&what_is_known_of(first)?)?;
    while let Some(step) = walk.ahead.pop() {
        walk.take(step)?;
    }
    let found = walk.inside.pop().ok_or(io::ErrorKind::NotFound)?;
    open_found(&found)
}

/// Our own root directory, and what we have mounted there.
pub(crate) fn own_root() -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open("/", flags, Mode::empty())?)
}

enum Step {
    Up,
    Into(OsString),
    /// To where the path begins: an absolute symbolic link does.
    Root,
}

/// The last one first.
fn steps_of(path: &Path) -> Vec<Step> {
    let step = |component: Component<'_>| match component {
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Into(name.to_owned())),
        Component::RootDir => Some(Step::Root),
        _ => None,
    };
    path.components().rev().filter_map(step).collect()
}

struct Walk<'a> {
    mounts: &'a Mounts,
    /// The root, and the directories on the way from there.
    inside: Vec<OwnedFd>,
    ahead: Vec<Step>,
    links: usize,
}

impl Walk<'_> {
    fn take(&mut self, step: Step) -> io::Result<()> {
        let name = match step {
            Step::Into(name) => name,
            Step::Up => {
                self.inside.truncate(self.inside.len().saturating_sub(1).max(1));
                return Ok(());
            }
            Step::Root => {
                self.inside.truncate(1);
                return Ok(());
            }
        };
        let here = self.inside.last().ok_or(io::ErrorKind::NotFound)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // a mount point leads to what is mounted there, whose root is known without asking it
        let found =
            rustix::fs::openat2(here, name, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?;
        let status = what_is_known_of(&found)?;
        self.check(&status)?;
        if FileType::from_raw_mode(status.stx_mode.into()) == FileType::Symlink {
            return self.follow(&found);
        }
        if self.inside.len() >= DEEPEST {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.inside.push(found);
        Ok(())
    }

    fn follow(&mut self, link: &OwnedFd) -> io::Result<()> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let target = rustix::fs::readlinkat(link, "", Vec::new())?;
        self.ahead.extend(steps_of(&PathBuf::from(OsString::from_vec(target.into_bytes()))));
        Ok(())
    }

    /// A mount that was not there before may be anyone's.
    fn check(&self, status: &Statx) -> io::Result<()> {
        match self.mounts.of_found(status.stx_mnt_id, device_of(status)) {
            Some(FileSystem::Kernel) => Ok(()),
            _ => Err(served()),
        }
    }
}

fn served() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "a process serves its file system")
}

fn device_of(status: &Statx) -> Device {
    Device { major: status.stx_dev_major, minor: status.stx_dev_minor }
}

/// What the kernel knows of a file without asking whoever serves it: mount, device, and mostly the type.
fn what_is_known_of(found: impl AsFd) -> io::Result<Statx> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    Ok(rustix::fs::statx(found, "", flags, StatxFlags::empty())?)
}

fn open_found(found: &OwnedFd) -> io::Result<(File, u64)> {
    let status = rustix::fs::fstat(found)?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let reopened = format!("/proc/self/fd/{}", found.as_raw_fd());
    // without waiting until the owner of a lease gives it up, for which the kernel leaves it 45 s (fcntl(2), F_SETLEASE)
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(reopened, flags, Mode::empty())?;
    Ok((File::from(file), u64::try_from(status.st_size).unwrap_or(0)))
}

impl ProcessDir {
    /// The regular file at `path` as the process sees the file system, unless a process serves it. Its symbolic links stay below the
    /// root of the process.
    pub fn open_in_root(&self, path: &Path) -> Result<File, Error> {
        let open = || Ok(open_below(self.root()?, path, self.mounts())?.0);
        open().map_err(|error| self.failed("root", error))
    }

    /// At most `limit` bytes of the file at `path` as the process sees the file system.
    pub fn read_in_root(&self, path: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        let file = self.open_in_root(Path::new(path))?;
        file.take(limit).read_to_end(&mut content).map_err(|error| self.failed("root", error))?;
        Ok(content)
    }

    pub(crate) fn root(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(self.place_of("root"), "root", flags, Mode::empty())?)
    }
}
