//! Bytes that are kept compressed, and decompressed a page at a time.
//!
//! Debug information that its file has compressed as a whole must be decompressed as a whole. Kept like that for the next batch it
//! would take twice as much as in pages that are compressed each for itself.

use std::io;

use crate::input::ReadAt;
use crate::paged::PAGE;

/// zstd's fastest but one: higher ones gain little on a page.
const LEVEL: i32 = 1;

#[derive(Debug)]
pub(crate) struct Packed {
    bytes: Vec<u8>,
    /// Where each page ends in `bytes`.
    ends: Vec<usize>,
    len: usize,
}

impl Packed {
    /// `None` if it would take more than `most` bytes.
    pub(crate) fn new(plain: &[u8], most: usize) -> io::Result<Option<Self>> {
        let mut packer = zstd::bulk::Compressor::new(LEVEL)?;
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for page in plain.chunks(PAGE) {
            bytes.extend_from_slice(&packer.compress(page)?);
            ends.push(bytes.len());
            if bytes.len() + size_of_val(&*ends) > most {
                return Ok(None);
            }
        }
        bytes.shrink_to_fit();
        Ok(Some(Self { bytes, ends, len: plain.len() }))
    }

    /// Bytes before compression.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.ends)
    }
}

impl ReadAt for Packed {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        if offset >= self.len {
            return Ok(0);
        }
        let (page, into) = (offset / PAGE, offset % PAGE);
        let start = page.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let packed = self.ends.get(page).and_then(|end| self.bytes.get(start.unwrap_or(0)..*end));
        let plain = zstd::bulk::decompress(packed.unwrap_or_default(), PAGE)?;
        let rest = plain.get(into..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::read_exact_at;

    #[test]
    fn what_is_read_is_what_was_packed() {
        let plain: Vec<u8> =
            (0..PAGE as u32 * 3 + 100).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let packed = Packed::new(&plain, plain.len()).unwrap().unwrap();
        assert!(Packed::new(&plain, Packed::size(&packed) - 1).unwrap().is_none());
        assert!(Packed::size(&packed) < plain.len() / 2);
        assert_eq!(packed.len(), plain.len());
        for (offset, length) in [(0, PAGE), (PAGE - 3, 7), (100, 2 * PAGE), (plain.len() - 5, 5)] {
            let mut buf = vec![0; length];
            read_exact_at(&packed, &mut buf, offset as u64).unwrap();
            assert_eq!(buf, plain[offset..offset + length]);
        }
        for offset in [plain.len() as u64 - 4, u64::MAX] {
            assert!(read_exact_at(&packed, &mut [0; 5], offset).is_err());
        }
        assert_eq!(Packed::new(&[], 0).unwrap().unwrap().read_at(&mut [0], 0).unwrap(), 0);
    }
}
