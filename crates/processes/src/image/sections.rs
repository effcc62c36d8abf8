//! The section headers of an image that was copied from memory: they are not there, and what stands at their place is not they.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes of the ELF header of either class.
const HEADER_BYTES: usize = 64;

/// Takes them out of the ELF header.
pub(super) fn take_out(copy: &File) -> io::Result<()> {
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
