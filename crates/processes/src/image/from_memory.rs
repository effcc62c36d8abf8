//! An image as its process has it in memory: for files that we cannot read.
//!
//! A FUSE mount without `allow_root` refuses root, and one that does not answer must not be asked at all; a file in a mount
//! namespace that everyone has left has no path. What the process has mapped of it can be read still. The copy lies in a memfd, each
//! byte at its file offset, with holes where nothing is mapped.
//!
//! It is not the file: there are no sections and so no full symbol table and no debug information. Of what is not code, all is there
//! or there is no copy: half a table could be read as another. What the dynamic loader wrote into it before it made its pages
//! read-only is as it left it, but for `.dynamic`, which has stated addresses again. Of code there is what the process has
//! in memory now and has not written to (a breakpoint, a patch); the rest is filled with what is no instruction, so that nobody
//! takes it for code.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::MemfdFlags;
use sha2::{Digest, Sha256};

use super::open::ImageError;
use super::resident::{Page, pages_of, read};
use super::{dynamic, sections};
use crate::ProcessDir;
use crate::maps::Mapping;

/// Mappings of one file.
const MOST_MAPPINGS: usize = 64;
const MOST_PAGES_AT_ONCE: usize = 64;
/// No image reaches further: a hostile offset would make a file of its size.
const FURTHEST_OFFSET: u64 = 1 << 40;
/// No instruction in 64-bit code (`push %es`), nor on ARM.
const NO_CODE: u8 = 0x06;

/// What is done about what the process does not have in memory now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// There is no copy then: nobody is asked, and nothing waits.
    Refuse,
    /// It is had from whoever serves the file, for whom this may wait for ever. Ends with our process.
    Fetch,
}

/// A copy of an image.
#[derive(Debug)]
pub struct MemoryCopy<R> {
    pub file: File,
    /// Bytes of the file, holes included.
    pub length: u64,
    /// The room that was given for it.
    pub room: R,
    /// SHA-256 of what the file has besides code, and of where it has it.
    pub digest: [u8; 32],
}

/// Copies what `process` has mapped, readable and not writable, of the file of `mapping`. `reserve` gives room for all of it, so
/// many bytes, before there is any; `None`: there is none.
pub fn copy_from_memory<R>(
    process: &ProcessDir,
    mapping: &Mapping,
    absent: Absent,
    reserve: impl FnOnce(u64) -> Option<R>,
) -> Result<MemoryCopy<R>, ImageError> {
    let copied = process.consistent(|process| Ok(copy(process, mapping, absent, reserve)))?;
    copied.unwrap_or_else(|| Err(unreachable(mapping, io::Error::other("it executes another"))))
}

fn copy<R>(
    process: &ProcessDir,
    mapping: &Mapping,
    absent: Absent,
    reserve: impl FnOnce(u64) -> Option<R>,
) -> Result<MemoryCopy<R>, ImageError> {
    let mut parts = process.mappings_of(mapping, MOST_MAPPINGS)?;
    let room = bytes_of(&parts).and_then(reserve);
    let room = room.ok_or_else(|| unreachable(mapping, too_large()))?;
    // headers and tables first: without them the code is not worth the copying
    parts.sort_by_key(|part| (part.permissions.is_executable(), part.file_offset));
    let file = rustix::fs::memfd_create("infrared-image", MemfdFlags::CLOEXEC);
    let file = File::from(file.map_err(|errno| unreachable(mapping, errno.into()))?);
    let mut copy = Copy { process, absent, file, length: 0, digest: Sha256::new() };
    let copied = parts.iter().try_for_each(|part| copy.part(part));
    copied.map_err(|error| unreachable(mapping, error))?;
    sections::take_out(&copy.file).map_err(|error| unreachable(mapping, error))?;
    // An image without one, or with another than we know, has fewer names.
    dynamic::restate(&copy.file, mapping).unwrap_or_default();
    let Copy { file, length, digest, .. } = copy;
    Ok(MemoryCopy { file, length, room, digest: digest.finalize().into() })
}

/// Of memory, which they will take. `None`: no image has parts like that.
fn bytes_of(parts: &[Mapping]) -> Option<u64> {
    let is_near = |part: &Mapping| part.file_offset <= FURTHEST_OFFSET;
    parts.iter().try_fold(0_u64, |sum, part| {
        sum.checked_add(is_near(part).then_some(part.end - part.start)?)
    })
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "it is too large for a copy")
}

fn unreachable(mapping: &Mapping, source: io::Error) -> ImageError {
    ImageError::Unreachable { name: mapping.display_name(), source }
}

struct Copy<'a> {
    process: &'a ProcessDir,
    absent: Absent,
    file: File,
    length: u64,
    digest: Sha256,
}

impl Copy<'_> {
    fn part(&mut self, part: &Mapping) -> io::Result<()> {
        let size = rustix::param::page_size() as u64;
        let length = part.end - part.start;
        let pages = pages_of(self.process, part, length / size).map_err(io::Error::other)?;
        let mut at = 0;
        for alike in pages.chunk_by(|one, other| one == other) {
            for run in alike.chunks(MOST_PAGES_AT_ONCE) {
                let mut bytes = vec![NO_CODE; run.len() * size as usize];
                self.run(part, at, run[0], &mut bytes)?;
                at += bytes.len() as u64;
            }
        }
        self.length = self.length.max(part.file_offset + length);
        Ok(())
    }

    /// Pages of one kind, at a place in a mapping.
    fn run(&mut self, part: &Mapping, at: u64, kind: Page, bytes: &mut [u8]) -> io::Result<()> {
        let is_code = part.permissions.is_executable();
        let is_wanted = !is_code || kind == Page::Shared;
        if is_wanted && kind == Page::Away && self.absent == Absent::Refuse {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "it is not all in memory"));
        }
        if is_wanted {
            read(self.process.pid(), part.start + at, bytes)?;
        }
        if !is_code && kind != Page::Own {
            // page by page: which of them are there now is no matter
            let mut offset = part.file_offset + at;
            for page in bytes.chunks(rustix::param::page_size()) {
                self.digest.update(offset.to_ne_bytes());
                self.digest.update(page);
                offset += page.len() as u64;
            }
        }
        self.file.write_all_at(bytes, part.file_offset + at)
    }
}
