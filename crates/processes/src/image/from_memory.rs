//! An image as its process has it in memory: for files that we cannot read.
//!
//! A FUSE mount without `allow_root` refuses root, and one that does not answer must not be asked at all; a file in a mount
//! namespace that everyone has left has no path. What the process has mapped of it can be read still. The copy lies in a memfd, each
//! byte at its file offset, with holes where nothing is mapped.
//!
//! It is not the file: there are no sections and so no full symbol table and no debug information; the fingerprint is another one; and
//! what the dynamic loader wrote before it made its pages read-only (`.dynamic`, `.data.rel.ro`) is as it left it, with runtime
//! addresses.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::MemfdFlags;

use super::open::{ImageError, OpenImage, Origin};
use crate::ProcessDir;
use crate::maps::Mapping;

/// Bytes that are copied of one image.
const MOST_BYTES: u64 = 64 << 20;
/// Mappings of one file.
const MOST_MAPPINGS: usize = 64;
const CHUNK: usize = 64 << 10;
/// No image reaches further: a hostile offset would make a file of its size.
const FURTHEST_OFFSET: u64 = 1 << 40;
/// Bytes of the ELF header of either class.
const HEADER_BYTES: usize = 64;

/// Copies what `process` has mapped, readable and not writable, of the file of `mapping`. Fails where the ELF header is not
/// among it.
pub fn copy_from_memory(process: &ProcessDir, mapping: &Mapping) -> Result<OpenImage, ImageError> {
    let failed = |source| ImageError::Unreachable { name: mapping.display_name(), source };
    let mut parts = process.mappings_of(mapping, MOST_MAPPINGS)?;
    // headers and unwind tables are outside the code and small: they come first
    parts.sort_by_key(|part| (part.permissions.is_executable(), part.file_offset));
    let copy = rustix::fs::memfd_create("infrared-image", MemfdFlags::CLOEXEC);
    let copy = File::from(copy.map_err(|errno| failed(errno.into()))?);
    let (mut length, mut room) = (0, MOST_BYTES);
    for part in &parts {
        let copied = copy_part(process, part, room, &copy).map_err(failed)?;
        room -= copied;
        if copied > 0 {
            length = length.max(part.file_offset + copied);
        }
    }
    without_sections(&copy).map_err(failed)?;
    Ok(OpenImage { file: copy, length, origin: Origin::Memory })
}

/// Returns how many bytes were copied: up to the first that cannot be read.
fn copy_part(process: &ProcessDir, part: &Mapping, room: u64, copy: &File) -> io::Result<u64> {
    let length = (part.end - part.start).min(room);
    if part.file_offset > FURTHEST_OFFSET - MOST_BYTES {
        return Ok(0);
    }
    let mut buffer = vec![0; CHUNK];
    let mut copied = 0;
    while copied < length {
        let wanted = (length - copied).min(CHUNK as u64) as usize;
        let read = process.read_memory(part.start + copied, &mut buffer[..wanted]).unwrap_or(0);
        copy.write_all_at(&buffer[..read], part.file_offset + copied)?;
        copied += read as u64;
        if read < wanted {
            break;
        }
    }
    Ok(copied)
}

/// Takes the section headers out of the ELF header: they are not there, and what stands at their place is not they.
fn without_sections(copy: &File) -> io::Result<()> {
    let mut header = [0; HEADER_BYTES];
    copy.read_exact_at(&mut header, 0)?;
    // e_shoff; then e_shnum and e_shstrndx, which stand together at the end (gABI 4.1, "ELF Header")
    let (offset, counts) = match &header[..5] {
        b"\x7fELF\x02" => (0x28..0x30, 0x3c..0x40),
        b"\x7fELF\x01" => (0x20..0x24, 0x30..0x34),
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "its start is not mapped")),
    };
    header[offset].fill(0);
    header[counts].fill(0);
    copy.write_all_at(&header, 0)
}
