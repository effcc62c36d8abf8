//! Finding a binary's separate debug file, and opening files below a process's root.
//!
//! A candidate is accepted when its build id is the binary's or, without build ids, when the CRC of
//! `.gnu_debuglink` matches (GDB manual, "Debugging information in separate files").

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};

use crate::elf::Elf;
use crate::error::{Error, Result};
use crate::input::ReadAt;

const GLOBAL: &str = "/usr/lib/debug";
const MAX_LINK: u64 = 4096;
/// A file larger than this is not read to check a CRC.
const MAX_CRC_FILE: u64 = 4 << 30;

/// Opens a regular file at a path below a root directory; symbolic links, absolute ones too, stay below it.
pub type OpenBelow = fn(root: &Path, path: &Path) -> io::Result<File>;

/// Where the debug file of a binary can be.
#[derive(Debug, Clone)]
pub struct DebugSearch {
    /// The binary's path as its process sees it.
    pub binary: PathBuf,
    /// The process's root directory as we see it: `/proc/PID/root`, or `/`.
    pub root: PathBuf,
    /// Directories of debug files in our own name space, as `/usr/lib/debug`.
    pub global: Vec<PathBuf>,
    /// How files below `root` are opened: [`open_below`], or what knows where nobody answers.
    pub open: OpenBelow,
}

impl DebugSearch {
    /// The file name, which unnamed addresses are shown with.
    pub(crate) fn module(&self) -> String {
        let name = self.binary.file_name().unwrap_or(self.binary.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

/// Opens it wherever it is. A file system in user space may leave that without an answer, for ever.
pub fn open_below(root: &Path, path: &Path) -> io::Result<File> {
    let directory =
        openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    regular(&openat2(directory, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), inside)?)
}

fn open_here(path: &Path) -> io::Result<File> {
    regular(&openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens what `found` is, if that is a regular file: the opening of a device has effects.
fn regular(found: &OwnedFd) -> io::Result<File> {
    if FileType::from_raw_mode(fstat(found)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    // nor is there any waiting for who has a lease on it
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(File::from(openat(CWD, path, flags, Mode::empty())?))
}

/// A file whose CRC has matched, so that it is not read through again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CheckedFile {
    device: u64,
    inode: u64,
    size: u64,
    modified_ns: i64,
}

impl CheckedFile {
    fn of(file: &File) -> io::Result<Self> {
        let m = file.metadata()?;
        let modified_ns = m.mtime().wrapping_mul(1_000_000_000).wrapping_add(m.mtime_nsec());
        Ok(Self { device: m.dev(), inode: m.ino(), size: m.len(), modified_ns })
    }
}

/// The separate debug file, and the supplementary file it shares with others, if any.
pub(crate) struct DebugFiles {
    pub(crate) debug: Elf,
    pub(crate) supplement: Option<Elf>,
    pub(crate) place: Candidate,
}

/// Looks for the debug file of `binary`. `checked` is kept by the caller between calls.
pub(crate) fn find(
    binary: &Elf,
    search: &DebugSearch,
    checked: &mut Option<CheckedFile>,
) -> Option<DebugFiles> {
    let build_id = binary.build_id();
    let mut candidates = Vec::new();
    if let Some(id) = &build_id {
        candidates.extend(by_build_id(id, search));
    }
    let link = debug_link(binary);
    if let Some((name, _)) = &link {
        candidates.extend(by_link(name, search));
    }
    for candidate in candidates {
        let Ok(file) = candidate.open(search) else { continue };
        let crc = link.as_ref().map(|l| l.1);
        if let Ok(Some(debug)) = accept(file, build_id.as_deref(), crc, checked) {
            let supplement = supplement(&debug, &candidate, search);
            return Some(DebugFiles { debug, supplement, place: candidate });
        }
    }
    None
}

/// A path below the process's root, or in our own name space.
#[derive(Debug, Clone)]
pub(crate) enum Candidate {
    Below(PathBuf),
    Here(PathBuf),
}

impl Candidate {
    pub(crate) fn open(&self, search: &DebugSearch) -> io::Result<File> {
        match self {
            Self::Below(path) => (search.open)(&search.root, path),
            Self::Here(path) => open_here(path),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Below(path) | Self::Here(path) => path,
        }
    }

    /// `path` as it is written in the file at `self`.
    pub(crate) fn beside(&self, path: &Path) -> Self {
        let join = |own: &Path| own.parent().unwrap_or(Path::new("/")).join(path);
        match self {
            Self::Below(own) => Self::Below(join(own)),
            Self::Here(own) => Self::Here(join(own)),
        }
    }
}

fn by_build_id(id: &[u8], search: &DebugSearch) -> Vec<Candidate> {
    let Some((first, rest)) = id.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return Vec::new();
    };
    let relative = format!(".build-id/{}/{}.debug", hex(&[*first]), hex(rest));
    let below = Candidate::Below(Path::new(GLOBAL).join(&relative));
    let here = search.global.iter().map(|dir| Candidate::Here(dir.join(&relative)));
    std::iter::once(below).chain(here).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or_default();
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// Where the debug file of that name can be.
pub(crate) fn by_link(name: &OsStr, search: &DebugSearch) -> Vec<Candidate> {
    let directory = search.binary.parent().unwrap_or(Path::new("/"));
    let relative = directory.strip_prefix("/").unwrap_or(directory);
    let below = [
        directory.join(name),
        directory.join(".debug").join(name),
        Path::new(GLOBAL).join(relative).join(name),
    ];
    let here = search.global.iter().map(|dir| Candidate::Here(dir.join(relative).join(name)));
    below.into_iter().map(Candidate::Below).chain(here).collect()
}

fn accept(
    file: File,
    build_id: Option<&[u8]>,
    crc: Option<u32>,
    checked: &mut Option<CheckedFile>,
) -> Result<Option<Elf>> {
    let stamp = CheckedFile::of(&file)?;
    let elf = Elf::parse(Rc::new(file))?;
    let theirs = elf.build_id();
    let accepted = match (build_id, theirs.as_deref(), crc) {
        (Some(ours), Some(theirs), _) => ours == theirs,
        (_, _, Some(crc)) => {
            let good = *checked == Some(stamp) || crc32(&**elf.source())? == crc;
            if good {
                *checked = Some(stamp);
            }
            good
        }
        _ => false,
    };
    Ok(accepted.then_some(elf))
}

fn crc32(source: &dyn ReadAt) -> Result<u32> {
    if source.size()? > MAX_CRC_FILE {
        return Err(Error::OverBudget("debug file checksum"));
    }
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut offset = 0;
    while offset < MAX_CRC_FILE {
        let n = source.read_at(&mut buffer, offset)?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        offset += n as u64;
    }
    Ok(hasher.finalize())
}

/// `.gnu_debuglink`: file name, NUL, padding to 4 bytes, CRC-32.
fn debug_link(binary: &Elf) -> Option<(std::ffi::OsString, u32)> {
    let section = binary.section(".gnu_debuglink").filter(|s| s.size <= MAX_LINK)?;
    let bytes = binary.read(section.offset, section.size).ok()?;
    let name = bytes.split(|&b| b == 0).next().filter(|n| !n.is_empty() && !n.contains(&b'/'))?;
    let at = (name.len() + 1).next_multiple_of(4);
    let crc = u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
    Some((OsStr::from_bytes(name).to_owned(), crc))
}

/// The supplementary file of a binary that has its debug information itself.
pub(crate) fn own_supplement(binary: &Elf, search: &DebugSearch) -> Option<Elf> {
    supplement(binary, &Candidate::Below(search.binary.clone()), search)
}

/// `.gnu_debugaltlink`: path, NUL, build id of the file that `dwz` moved common entries to.
fn supplement(debug: &Elf, place: &Candidate, search: &DebugSearch) -> Option<Elf> {
    let section = debug.section(".gnu_debugaltlink").filter(|s| s.size <= MAX_LINK)?;
    let bytes = debug.read(section.offset, section.size).ok()?;
    let end = bytes.iter().position(|&b| b == 0)?;
    let id = &bytes[end + 1..];
    let path = Path::new(OsStr::from_bytes(&bytes[..end]));
    let candidates = std::iter::once(place.beside(path)).chain(by_build_id(id, search));
    let mut open = candidates.filter_map(|c| Elf::parse(Rc::new(c.open(search).ok()?)).ok());
    open.find(|elf| elf.build_id().as_deref() == Some(id))
}
