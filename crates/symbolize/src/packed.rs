//! Bytes that are kept compressed, and decompressed a page at a time.
//!
//! Debug information that its file has compressed as a whole must be decompressed as a whole. Kept like that for the next batch it
//! would take twice as much as in pages that are compressed each for itself; the names of the kernel, five times.

use std::io;

use crate::input::ReadAt;
use crate::paged::PAGE;

/// zstd's fastest but one: higher ones gain little on a page.
const LEVEL: i32 = 1;

#[derive(Debug)]
pub(crate) struct Packed {
    pages: Pages,
    len: usize,
}

/// Pages of any size, each compressed for itself.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    bytes: Vec<u8>,
    /// Where each ends in `bytes`, and its size before compression.
    ends: Vec<(usize, usize)>,
}

/// Adds to [`Pages`].
pub(crate) struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    pages: Pages,
}

impl Packer {
    pub(crate) fn new() -> io::Result<Self> {
        let compressor = zstd::bulk::Compressor::new(LEVEL)?;
        Ok(Self { compressor, pages: Pages::default() })
    }

    pub(crate) fn add(&mut self, page: &[u8]) -> io::Result<()> {
        self.pages.bytes.extend_from_slice(&self.compressor.compress(page)?);
        self.pages.ends.push((self.pages.bytes.len(), page.len()));
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Pages {
        self.pages.bytes.shrink_to_fit();
        self.pages.ends.shrink_to_fit();
        self.pages
    }
}

impl Pages {
    /// Decompresses a page; one that is not there is empty.
    pub(crate) fn get(&self, page: usize) -> io::Result<Vec<u8>> {
        let Some((end, len)) = self.ends.get(page) else { return Ok(Vec::new()) };
        let start = page.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = start.map_or(0, |(end, _)| *end);
        zstd::bulk::decompress(self.bytes.get(start..*end).unwrap_or_default(), *len)
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.ends)
    }
}

impl Packed {
    /// `None` if it would take more than `most` bytes.
    pub(crate) fn new(plain: &[u8], most: usize) -> io::Result<Option<Self>> {
        let mut packer = Packer::new()?;
        for page in plain.chunks(PAGE) {
            packer.add(page)?;
            if packer.pages.size() > most {
                return Ok(None);
            }
        }
        Ok(Some(Self { pages: packer.finish(), len: plain.len() }))
    }

    /// Bytes before compression.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.pages.size()
    }
}

impl ReadAt for Packed {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        if offset >= self.len {
            return Ok(0);
        }
        let page = self.pages.get(offset / PAGE)?;
        let rest = page.get(offset % PAGE..).unwrap_or_default();
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
