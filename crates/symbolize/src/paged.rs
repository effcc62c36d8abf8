//! A [`gimli::Reader`] over sections that stay in their file, for DWARF and the Go tables: pages are read when they are needed and
//! the least recently loaded are dropped, so a debug file of any size is read within a fixed budget.
//! Every read spends fuel, which bounds the work that hostile debug information can cause.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::rc::Rc;

use gimli::{Error, LittleEndian, Reader, ReaderOffsetId, Result};

use crate::input::{ReadAt, read_exact_at};

pub(crate) const PAGE: usize = 16 << 10;
/// The longest string or block that is copied or searched for its end.
pub(crate) const MAX_STRING: usize = 1 << 20;

/// Bytes of a page, or of a section in memory: a vector, for `Rc<[u8]>` would copy what was just read or decompressed.
type Page = Rc<Vec<u8>>;

/// Pages of all the sections of one batch.
pub(crate) struct PageCache {
    pages: HashMap<(u32, usize), Page>,
    order: VecDeque<(u32, usize)>,
    max_pages: usize,
}

impl PageCache {
    pub(crate) fn new(max_bytes: u64) -> Rc<RefCell<Self>> {
        let max_pages = (max_bytes as usize / PAGE).max(8);
        Rc::new(RefCell::new(Self { pages: HashMap::new(), order: VecDeque::new(), max_pages }))
    }

    fn insert(&mut self, key: (u32, usize), page: Page) {
        if self.order.len() >= self.max_pages
            && let Some(oldest) = self.order.pop_front()
        {
            self.pages.remove(&oldest);
        }
        self.pages.insert(key, page);
        self.order.push_back(key);
    }
}

/// Reads left before the batch gives up.
#[derive(Debug)]
pub(crate) struct Fuel(Cell<u64>);

impl Fuel {
    pub(crate) fn new(reads: u64) -> Rc<Self> {
        Rc::new(Self(Cell::new(reads)))
    }

    #[inline]
    pub(crate) fn spend(&self, reads: u64) -> Result<()> {
        if let Some(left) = self.0.get().checked_sub(reads) {
            self.0.set(left);
            return Ok(());
        }
        self.0.set(0);
        Err(Error::Io)
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }

    /// Runs `work` with at most `reads` of the fuel: what it builds in memory grows with its reads.
    pub(crate) fn at_most<T>(&self, reads: u64, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = self.0.get();
        let lent = before.min(reads);
        self.0.set(lent);
        let result = work();
        self.0.set(before - (lent - self.0.get().min(lent)));
        result
    }
}

pub(crate) enum Backing {
    Empty,
    Memory(Rc<Vec<u8>>),
    File { source: Rc<dyn ReadAt>, offset: u64, pages: Rc<RefCell<PageCache>> },
}

struct SectionData {
    id: u32,
    backing: Backing,
    fuel: Rc<Fuel>,
}

impl SectionData {
    /// The page that holds `at`, and the offset of the page in the section.
    fn page(&self, at: usize, len: usize) -> Result<(Page, usize)> {
        match &self.backing {
            Backing::Empty => Err(Error::UnexpectedEof(ReaderOffsetId(at as u64))),
            Backing::Memory(bytes) => Ok((Rc::clone(bytes), 0)),
            Backing::File { source, offset, pages } => {
                let key = (self.id, at / PAGE);
                let start = key.1 * PAGE;
                let held = pages.borrow().pages.get(&key).map(Rc::clone);
                if let Some(page) = held {
                    return Ok((page, start));
                }
                let mut bytes = vec![0; PAGE.min(len - start)];
                read_exact_at(&**source, &mut bytes, offset + start as u64)
                    .map_err(|_| Error::Io)?;
                let page: Page = Rc::new(bytes);
                pages.borrow_mut().insert(key, Rc::clone(&page));
                Ok((page, start))
            }
        }
    }
}

/// A position in a section and the end of what may be read.
#[derive(Clone)]
pub(crate) struct SectionReader {
    section: Rc<SectionData>,
    /// Length of the whole section.
    len: usize,
    pos: usize,
    end: usize,
    page: Option<Page>,
    page_start: usize,
}

impl SectionReader {
    /// `id` tells the sections of one [`PageCache`] apart.
    pub(crate) fn new(id: u32, len: usize, backing: Backing, fuel: Rc<Fuel>) -> Self {
        let section = Rc::new(SectionData { id, backing, fuel });
        Self { section, len, pos: 0, end: len, page: None, page_start: 0 }
    }

    /// The bytes from `pos` to the end of its page or of the reader.
    #[inline]
    fn available(&mut self) -> Result<&[u8]> {
        if self.pos >= self.end {
            return Err(Error::UnexpectedEof(self.offset_id()));
        }
        let held = self.page.as_ref().is_some_and(|page| {
            self.pos.checked_sub(self.page_start).is_some_and(|into| into < page.len())
        });
        if !held {
            let (page, start) = self.section.page(self.pos, self.len)?;
            (self.page, self.page_start) = (Some(page), start);
        }
        let page = self.page.as_ref().map_or(&[][..], |page| page);
        let from = self.pos - self.page_start;
        let to = page.len().min(self.end - self.page_start);
        page.get(from..to).filter(|b| !b.is_empty()).ok_or(Error::Io)
    }

    fn check(&self, len: usize) -> Result<()> {
        if len <= self.end - self.pos {
            Ok(())
        } else {
            Err(Error::UnexpectedEof(self.offset_id()))
        }
    }
}

impl fmt::Debug for SectionReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "section {} {}..{}", self.section.id, self.pos, self.end)
    }
}

impl Reader for SectionReader {
    type Endian = LittleEndian;
    type Offset = usize;

    fn endian(&self) -> LittleEndian {
        LittleEndian
    }

    #[inline]
    fn len(&self) -> usize {
        self.end - self.pos
    }

    fn empty(&mut self) {
        self.end = self.pos;
    }

    fn truncate(&mut self, len: usize) -> Result<()> {
        self.check(len)?;
        self.end = self.pos + len;
        Ok(())
    }

    fn offset_from(&self, base: &Self) -> usize {
        self.pos.saturating_sub(base.pos)
    }

    fn offset_id(&self) -> ReaderOffsetId {
        ReaderOffsetId(self.pos as u64)
    }

    fn lookup_offset_id(&self, id: ReaderOffsetId) -> Option<usize> {
        let at = usize::try_from(id.0).ok()?;
        (self.pos..=self.end).contains(&at).then(|| at - self.pos)
    }

    fn find(&self, byte: u8) -> Result<usize> {
        let mut cursor = self.clone();
        while cursor.pos - self.pos < MAX_STRING {
            let bytes = cursor.available()?;
            let (len, found) = (bytes.len(), bytes.iter().position(|&b| b == byte));
            self.section.fuel.spend(found.unwrap_or(len) as u64 / 16)?;
            if let Some(at) = found {
                return Ok(cursor.pos - self.pos + at);
            }
            cursor.pos += len;
        }
        Err(Error::UnexpectedEof(self.offset_id()))
    }

    #[inline]
    fn skip(&mut self, len: usize) -> Result<()> {
        self.check(len)?;
        self.pos += len;
        self.section.fuel.spend(1)
    }

    fn split(&mut self, len: usize) -> Result<Self> {
        self.check(len)?;
        let mut front = self.clone();
        front.end = front.pos + len;
        self.pos += len;
        self.section.fuel.spend(1)?;
        Ok(front)
    }

    fn to_slice(&self) -> Result<Cow<'_, [u8]>> {
        let len = self.end - self.pos;
        if len > MAX_STRING {
            return Err(Error::UnexpectedEof(self.offset_id()));
        }
        let mut bytes = vec![0; len];
        self.clone().read_slice(&mut bytes)?;
        Ok(Cow::Owned(bytes))
    }

    fn to_string(&self) -> Result<Cow<'_, str>> {
        let bytes = self.to_slice()?.into_owned();
        String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Error::BadUtf8)
    }

    fn to_string_lossy(&self) -> Result<Cow<'_, str>> {
        let bytes = self.to_slice()?;
        Ok(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn read_slice(&mut self, buf: &mut [u8]) -> Result<()> {
        self.check(buf.len())?;
        let mut done = 0;
        while done < buf.len() {
            let bytes = self.available()?;
            let n = bytes.len().min(buf.len() - done);
            buf[done..done + n].copy_from_slice(&bytes[..n]);
            self.pos += n;
            done += n;
        }
        self.section.fuel.spend(1 + done as u64 / 16)
    }

    #[inline]
    fn read_u8(&mut self) -> Result<u8> {
        let byte = self.available()?[0];
        self.pos += 1;
        self.section.fuel.spend(1)?;
        Ok(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paged(bytes: &[u8]) -> SectionReader {
        let pages = PageCache::new(0);
        let backing = Backing::File { source: Rc::new(bytes.to_vec()), offset: 0, pages };
        SectionReader::new(0, bytes.len(), backing, Fuel::new(1 << 20))
    }

    #[test]
    fn reads_agree_with_the_bytes_across_pages() {
        let bytes: Vec<u8> = (0..PAGE * 20 + 7).map(|i| (i * 31 % 251) as u8 + 1).collect();
        let mut reader = paged(&bytes);
        for start in (0..20).flat_map(|page| [page * PAGE + 9, (page + 1) * PAGE - 3]) {
            reader.pos = start;
            let mut six = [0; 6];
            reader.read_slice(&mut six).unwrap();
            assert_eq!(six, bytes[start..start + 6]);
        }
        let Backing::File { pages, .. } = &reader.section.backing else { panic!("paged") };
        assert_eq!(pages.borrow().pages.len(), 8, "older pages were dropped");
        reader.pos = bytes.len() - 7;
        assert!(reader.read_slice(&mut [0; 8]).is_err());
    }

    #[test]
    fn a_string_is_found_over_a_page_boundary_and_a_missing_end_is_an_error() {
        let mut bytes = vec![b'a'; PAGE * 2];
        bytes[PAGE + 10] = 0;
        let mut reader = paged(&bytes);
        reader.pos = PAGE - 5;
        assert_eq!(reader.find(0).unwrap(), 15);
        reader.pos = PAGE + 11;
        assert!(reader.find(0).is_err());
    }

    #[test]
    fn fuel_ends_the_reading() {
        let fuel = Fuel::new(10);
        let backing = Backing::Memory(vec![0; 100].into());
        let mut reader = SectionReader::new(0, 100, backing, Rc::clone(&fuel));
        assert!(fuel.at_most(3, || (0..4).try_for_each(|_| reader.read_u8().map(|_| ()))).is_err());
        let read = std::iter::from_fn(|| reader.read_u8().ok()).count();
        assert_eq!(read, 7);
        assert!(fuel.is_spent());
    }
}
