//! A section's bytes: where they are in the file, or decompressed within a limit.

use std::io::Read;

use object::elf;

use super::{Elf, Section};
use crate::error::{Error, Result};

/// Size of `Elf64_Chdr`, which precedes compressed bytes.
const COMPRESSION_HEADER: u64 = 24;

/// zstd window limit, as a power of two: 8 MiB, what `ld` and `objcopy` stay within.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

#[derive(Debug)]
pub(crate) enum Contents {
    /// Plain bytes at this file offset.
    InFile {
        offset: u64,
        size: u64,
    },
    Decompressed(Vec<u8>),
}

impl Elf {
    /// The contents of `section`. `limit` bounds decompressed bytes.
    pub(crate) fn contents(&self, section: &Section, limit: u64) -> Result<Contents> {
        if section.flags & u64::from(elf::SHF_COMPRESSED) == 0 {
            let end = section.offset.checked_add(section.size);
            if end.is_none_or(|end| end > self.len) {
                return Err(Error::Malformed("section beyond the end of the file"));
            }
            return Ok(Contents::InFile { offset: section.offset, size: section.size });
        }
        let Some(packed_size) = section.size.checked_sub(COMPRESSION_HEADER) else {
            return Err(Error::Malformed("compression header"));
        };
        let header = self.read(section.offset, COMPRESSION_HEADER)?;
        let word = |at: usize| header.get(at..at + 8).and_then(|b| b.try_into().ok());
        let (Some(kind), Some(size)) = (word(0), word(8)) else {
            return Err(Error::Malformed("compression header"));
        };
        // ch_type is 32 bits, ch_reserved the other 32
        let kind = u64::from_le_bytes(kind) as u32;
        let size = u64::from_le_bytes(size);
        if size > limit || section.size > limit {
            return Err(Error::OverBudget("compressed section"));
        }
        let packed = self.sequential(section.offset + COMPRESSION_HEADER)?.take(packed_size);
        match kind {
            elf::ELFCOMPRESS_ZLIB => inflate(flate2::read::ZlibDecoder::new(packed), size),
            elf::ELFCOMPRESS_ZSTD => {
                let mut decoder = zstd::stream::read::Decoder::new(packed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                inflate(decoder, size)
            }
            _ => Err(Error::Unsupported("section compression")),
        }
        .map(Contents::Decompressed)
    }
}

/// Reads exactly the `size` bytes the header promised; less or more is malformed. Pages of the buffer
/// are taken when they are written, so a false size costs nothing.
fn inflate(mut reader: impl Read, size: u64) -> Result<Vec<u8>> {
    let mut out = vec![0; size as usize];
    reader.read_exact(&mut out)?;
    if reader.read(&mut [0])? != 0 {
        return Err(Error::Malformed("compressed section size"));
    }
    Ok(out)
}
