//! Opening the file that a process has mapped.

use std::fs::File;
use std::io;
use std::path::Path;

use super::fingerprint::Fingerprint;
use super::headers::{ByteSource, ElfError, ElfHeaders};
use super::notes::BuildId;
use crate::maps::{Device, Mapping, MappingKind};
use crate::mounts::FileSystem;
use crate::regular::{open_below, open_link, own_root};
use crate::{Error, Pid, ProcFs, ProcessDir};

/// Bytes of code that are compared to prove that a file is the one that is mapped.
const COMPARED_BYTES: u64 = 4096;

/// Why the file behind a mapping could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error(transparent)]
    Process(#[from] Error),
    /// Nothing is mapped from a file.
    #[error("{0} is not a file")]
    NotAFile(String),
    /// A process serves the file system that it is of (FUSE): it need not answer, and is not asked.
    #[error("{0} is of a file system that a process serves")]
    Served(String),
    /// The kernel does not let us follow `map_files` (`CAP_CHECKPOINT_RESTORE`), and no path leads to
    /// the file any more.
    #[error("the file mapped as {name} cannot be reached: {source}")]
    Unreachable { name: String, source: io::Error },
}

/// How an image was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `/proc/PID/map_files`: the mapped file itself, whatever became of its path.
    MapFiles,
    /// Its path, seen from the root of the process or from ours.
    Path,
    /// `/proc/PID/exe`.
    Exe,
}

/// The file behind a mapping.
#[derive(Debug)]
pub struct OpenImage {
    pub file: File,
    /// Bytes.
    pub length: u64,
    pub origin: Origin,
}

impl OpenImage {
    pub fn headers(&self) -> Result<ElfHeaders, ElfError> {
        ElfHeaders::read(&self.file)
    }

    pub fn fingerprint(&self) -> io::Result<Fingerprint> {
        Fingerprint::read(&self.file, self.length)
    }
}

/// Opens the file that is mapped as `mapping`. A path is believed only if its file has the device and
/// inode that the mapping shows, or (they differ on overlayfs and btrfs) the same bytes as the
/// mapped memory. Of a process that ends meanwhile, files that still have their path are found.
pub fn open(process: &ProcessDir, mapping: &Mapping) -> Result<OpenImage, ImageError> {
    let Some(path) = mapping.path() else {
        return Err(ImageError::NotAFile(mapping.display_name()));
    };
    if process.file_system_of(mapping) == FileSystem::Process {
        return Err(ImageError::Served(mapping.display_name()));
    }
    let link = format!("map_files/{:x}-{:x}", mapping.start, mapping.end);
    let first_failure = match open_link(process, &link, mapping.kind == MappingKind::Memfd) {
        Ok((file, length)) => return Ok(OpenImage { file, length, origin: Origin::MapFiles }),
        Err(error) => error,
    };
    let by_path = match mapping.kind {
        MappingKind::File => open_path(process, mapping, path),
        _ => None,
    };
    if let Some((file, length)) = by_path {
        return Ok(OpenImage { file, length, origin: Origin::Path });
    }
    if let Ok((file, length)) = open_link(process, "exe", mapping.kind == MappingKind::Memfd)
        && is_mapped_file(process, mapping, &file)
    {
        return Ok(OpenImage { file, length, origin: Origin::Exe });
    }
    if !process.is_alive() {
        return Err(Error::Gone(process.pid()).into());
    }
    Err(ImageError::Unreachable { name: mapping.display_name(), source: first_failure })
}

/// Opens the file that a process mapped which is gone by now, by its path as seen from our root. It is
/// believed if its device and inode are those of the mapping, or its build id is `build_id` (which
/// the kernel can tell with the event of the mapping).
pub fn open_of_gone(
    mapping: &Mapping,
    build_id: Option<&BuildId>,
) -> Result<OpenImage, ImageError> {
    let Some(path) = mapping.path() else {
        return Err(ImageError::NotAFile(mapping.display_name()));
    };
    let unreachable = |source| ImageError::Unreachable { name: mapping.display_name(), source };
    let own = ProcFs::system().process(Pid(std::process::id()))?;
    let open = || open_below(own_root()?, path, own.mounts());
    let (file, length) = open().map_err(unreachable)?;
    let image = OpenImage { file, length, origin: Origin::Path };
    let is_same = has_device_and_inode(mapping, &image.file)
        || build_id.is_some_and(|wanted| {
            image.headers().is_ok_and(|headers| headers.build_id.as_ref() == Some(wanted))
        });
    if is_same {
        return Ok(image);
    }
    Err(unreachable(io::Error::new(io::ErrorKind::NotFound, "another file has its path")))
}

/// `maps` shows a path relative to our root where that reaches the file, else to the root of its
/// mount namespace; the process may have a root of its own within either.
fn open_path(process: &ProcessDir, mapping: &Mapping, path: &Path) -> Option<(File, u64)> {
    let own = ProcFs::system().process(Pid(std::process::id())).ok()?;
    let within_root = process
        .read_link("root")
        .ok()
        .and_then(|root| path.strip_prefix(root).ok().map(Path::to_path_buf));
    let candidates = [
        (process.root(), process.mounts(), Some(path.to_path_buf())),
        (process.root(), process.mounts(), within_root),
        (own_root(), own.mounts(), Some(path.to_path_buf())),
    ];
    candidates.into_iter().find_map(|(root, mounts, path)| {
        let (file, length) = open_below(root.ok()?, &path?, mounts).ok()?;
        is_mapped_file(process, mapping, &file).then_some((file, length))
    })
}

fn is_mapped_file(process: &ProcessDir, mapping: &Mapping, file: &File) -> bool {
    has_device_and_inode(mapping, file) || has_mapped_bytes(process, mapping, file)
}

fn has_device_and_inode(mapping: &Mapping, file: &File) -> bool {
    let Ok(status) = rustix::fs::fstat(file) else { return false };
    let device =
        Device { major: rustix::fs::major(status.st_dev), minor: rustix::fs::minor(status.st_dev) };
    (device, status.st_ino) == (mapping.device, mapping.inode)
}

fn has_mapped_bytes(process: &ProcessDir, mapping: &Mapping, file: &File) -> bool {
    let size = mapping.end.saturating_sub(mapping.start).min(COMPARED_BYTES) as usize;
    let (mut mapped, mut stored) = (vec![0; size], vec![0; size]);
    let Ok(mapped_length) = process.read_memory(mapping.start, &mut mapped) else { return false };
    let Ok(length) = ByteSource::read_at(file, mapping.file_offset, &mut stored) else {
        return false;
    };
    let compared = length.min(mapped_length);
    mapped[..compared] == stored[..compared] && mapped[..compared].iter().any(|&byte| byte != 0)
}
