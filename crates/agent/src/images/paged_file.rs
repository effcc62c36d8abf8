//! A file for [`object::ReadCache`]. Readers of headers and tables ask for some bytes here and there, which are read with the
//! page around them: a system call for each is most of what a page of rows costs.

use std::fs::File;

use infrared_processes::image::ByteSource;
use object::{ReadCache, ReadCacheOps};

const PAGE: usize = 4 << 10;
const PAGES: usize = 8;

/// What is longer is read by itself.
const SMALL: usize = 256;

/// A file while a job lasts: what is held of it is not asked for again.
#[derive(Debug)]
pub(super) struct PagedFile<'f> {
    file: &'f File,
    position: u64,
    /// By their number in the file; each has one place where it can be.
    pages: [Option<Box<Page>>; PAGES],
}

#[derive(Debug)]
struct Page {
    number: u64,
    bytes: [u8; PAGE],
    /// Fewer at the end of the file.
    length: usize,
}

impl<'f> PagedFile<'f> {
    pub(super) fn cache(file: &'f File) -> ReadCache<Self> {
        ReadCache::new(Self { file, position: 0, pages: Default::default() })
    }

    /// The bytes from `position` to the end of their page.
    fn held(&mut self, position: u64) -> Option<&[u8]> {
        let (number, into) = (position / PAGE as u64, (position % PAGE as u64) as usize);
        let place = self.pages.get_mut((number % PAGES as u64) as usize)?;
        if place.as_ref().is_none_or(|page| page.number != number) {
            let mut page = Box::new(Page { number, bytes: [0; PAGE], length: 0 });
            page.length =
                ByteSource::read_at(self.file, number * PAGE as u64, &mut page.bytes).ok()?;
            *place = Some(page);
        }
        let page = place.as_ref()?;
        page.bytes.get(into..page.length)
    }
}

impl ReadCacheOps for PagedFile<'_> {
    fn len(&mut self) -> Result<u64, ()> {
        self.file.metadata().map(|metadata| metadata.len()).map_err(|_| ())
    }

    fn seek(&mut self, position: u64) -> Result<u64, ()> {
        self.position = position;
        Ok(position)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ()> {
        let read = ByteSource::read_at(self.file, self.position, buffer).map_err(|_| ())?;
        self.position += read as u64;
        Ok(read)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), ()> {
        if buffer.len() > SMALL {
            return (self.read(buffer)? == buffer.len()).then_some(()).ok_or(());
        }
        let mut done = 0;
        while done < buffer.len() {
            let held = self.held(self.position).filter(|held| !held.is_empty()).ok_or(())?;
            let length = held.len().min(buffer.len() - done);
            buffer[done..done + length].copy_from_slice(&held[..length]);
            done += length;
            self.position += length as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use object::ReadRef;

    use super::*;

    #[test]
    fn pieces_are_those_of_the_file_and_there_are_none_beyond_its_end() {
        let bytes: Vec<u8> = (0..20 * PAGE + 77).map(|at| (at * 31 % 251) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, &bytes).unwrap();
        let file = File::open(path).unwrap();
        let cache = PagedFile::cache(&file);
        assert_eq!((&cache).len(), Ok(bytes.len() as u64));
        for from in (0..bytes.len()).step_by(97) {
            for length in [1, 8, SMALL, SMALL + 1, 3 * PAGE] {
                let piece = (&cache).read_bytes_at(from as u64, length as u64);
                assert_eq!(piece.ok(), bytes.get(from..from + length), "{from} {length}");
            }
        }
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![1; 2 * PAGE]).unwrap();
        let file = File::options().read(true).write(true).open(path).unwrap();
        let cache = PagedFile::cache(&file);
        assert_eq!((&cache).read_bytes_at(8, 8), Ok(&[1; 8][..]));
        file.set_len(PAGE as u64 + 10).unwrap();
        assert_eq!((&cache).read_bytes_at(PAGE as u64 + 2, 8), Ok(&[1; 8][..]));
        assert_eq!((&cache).read_bytes_at(PAGE as u64 + 3, 8), Err(()));
        assert_eq!((&cache).read_bytes_at(PAGE as u64 + 16, 8), Err(()));
        assert_eq!((&cache).read_bytes_at(PAGE as u64, 2 * SMALL as u64), Err(()));
    }
}
