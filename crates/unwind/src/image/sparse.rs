//! A section of which only those parts are read that are asked for.

use std::borrow::Cow;
use std::ops::Range;

use memmap2::MmapMut;
use object::ReadRef;

use super::Image;

/// What is read at once, at least.
const BLOCK: usize = 8 << 10;

/// Where a section is in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) address: u64,
    pub(crate) file_offset: u64,
    pub(crate) len: usize,
}

/// The bytes of a section at the offsets that they have there. What was not read is zero.
#[derive(Debug)]
pub(crate) struct Sparse<'d> {
    pub(crate) place: Place,
    bytes: Bytes<'d>,
    is_read: Vec<bool>,
    read_bytes: usize,
}

#[derive(Debug)]
enum Bytes<'d> {
    /// A mapping of its own, of which only what is written takes memory. An allocator clears megabytes for some kilobytes.
    Parts(MmapMut),
    Whole(Cow<'d, [u8]>),
}

impl Bytes<'_> {
    fn get(&self) -> &[u8] {
        match self {
            Self::Parts(bytes) => bytes,
            Self::Whole(bytes) => bytes,
        }
    }
}

impl<'d> Sparse<'d> {
    /// `None` if it is empty, or there is no address space for it.
    pub(crate) fn new(place: Place) -> Option<Self> {
        let is_read = vec![false; place.len.div_ceil(BLOCK)];
        let bytes = Bytes::Parts(MmapMut::map_anon(place.len).ok()?);
        Some(Self { place, bytes, is_read, read_bytes: 0 })
    }

    /// A section whose contents are at hand.
    pub(crate) fn whole(address: u64, bytes: Cow<'d, [u8]>) -> Self {
        let place = Place { address, file_offset: 0, len: bytes.len() };
        let read_bytes = bytes.len();
        Self { place, bytes: Bytes::Whole(bytes), is_read: Vec::new(), read_bytes }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get()
    }

    /// How much of it was read.
    pub(crate) fn read_bytes(&self) -> usize {
        self.read_bytes
    }

    /// Reads all of it, in place of what was read before.
    pub(crate) fn read_all<R: ReadRef<'d>>(&mut self, image: &Image<'d, R>) -> Option<()> {
        if self.read_bytes < self.place.len {
            let Place { file_offset, len, .. } = self.place;
            self.bytes = Bytes::Whole(Cow::Borrowed(image.file_bytes(file_offset, len as u64)?));
            self.is_read = Vec::new();
            self.read_bytes = len;
        }
        Some(())
    }

    /// Reads `range`; `None` if it is not all in the section, or cannot be read.
    pub(crate) fn read<R: ReadRef<'d>>(
        &mut self,
        image: &Image<'d, R>,
        range: Range<usize>,
    ) -> Option<&[u8]> {
        if range.start > range.end || range.end > self.place.len {
            return None;
        }
        let blocks = range.start / BLOCK..range.end.div_ceil(BLOCK).min(self.is_read.len());
        let mut at = blocks.start;
        while at < blocks.end {
            let run = self.is_read[at..blocks.end].iter().take_while(|is_read| !**is_read).count();
            if run > 0 {
                self.read_blocks(image, at..at + run)?;
            }
            at += run.max(1);
        }
        self.bytes.get().get(range)
    }

    /// The bytes at `range`, which are read alone if they were not yet, and not kept.
    pub(crate) fn glance<'a, R: ReadRef<'d>>(
        &'a self,
        image: &'a Image<'d, R>,
        range: Range<usize>,
    ) -> Option<&'a [u8]> {
        let blocks = range.start / BLOCK..range.end.div_ceil(BLOCK).min(self.is_read.len());
        if range.end <= self.place.len && self.is_read.get(blocks)?.contains(&false) {
            let file_offset = self.place.file_offset.checked_add(range.start as u64)?;
            return image.file_bytes(file_offset, range.len() as u64);
        }
        self.bytes.get().get(range)
    }

    fn read_blocks<R: ReadRef<'d>>(
        &mut self,
        image: &Image<'d, R>,
        blocks: Range<usize>,
    ) -> Option<()> {
        let range = blocks.start * BLOCK..(blocks.end * BLOCK).min(self.place.len);
        let file_offset = self.place.file_offset.checked_add(range.start as u64)?;
        let read = image.file_bytes(file_offset, range.len() as u64)?;
        // What is whole has no blocks to be read.
        let Bytes::Parts(bytes) = &mut self.bytes else { return None };
        bytes.get_mut(range.clone())?.copy_from_slice(read);
        self.is_read[blocks].fill(true);
        self.read_bytes += range.len();
        Some(())
    }
}
