//! Where `.gopclntab` is in a file that has lost its section headers: nothing tells but its own header.

use crate::elf::Elf;
use crate::error::Result;
use crate::input::read_exact_at;

/// Data searched; the tables of large programs are in the first half of some 100 MiB.
const MAX_SEARCH: u64 = 128 << 20;
const CHUNK: usize = 256 << 10;
/// `runtime.pcHeader` up to the last of the words that are looked at.
const HEADER: usize = 56;
const ALIGNMENT: usize = 8;

/// A table, up to the end of the segment that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// The first table in the loaded data, if the file says that Go made it.
pub(super) fn find(elf: &Elf) -> Result<Option<Place>> {
    if elf.has_headers() || !elf.has_go_note() {
        return Ok(None);
    }
    let mut left = MAX_SEARCH;
    let sections = [".rodata", ".data"].into_iter().flat_map(|name| elf.sections_named(name));
    for section in sections {
        let size = section.size.min(left);
        left -= size;
        let mut chunk = vec![0; CHUNK.min(size as usize)];
        let mut done = 0;
        while size - done >= HEADER as u64 {
            let len = (size - done).min(CHUNK as u64) as usize;
            let chunk = &mut chunk[..len];
            read_exact_at(&**elf.source(), chunk, section.offset + done)?;
            let places = (0..=len - HEADER).step_by(ALIGNMENT);
            let is_table = |at: &usize| {
                let rest = section.size - done - *at as u64;
                is_header(&chunk[*at..*at + HEADER], rest)
            };
            if let Some(at) = places.into_iter().find(is_table) {
                let into = done + at as u64;
                return Ok(Some(Place {
                    address: section.address + into,
                    offset: section.offset + into,
                    size: section.size - into,
                }));
            }
            // The last places of a chunk are looked at again as the first of the next.
            done += ((len - HEADER) / ALIGNMENT * ALIGNMENT + ALIGNMENT) as u64;
        }
    }
    Ok(None)
}

/// Whether a table begins here: its mark, the sizes of an instruction and of a pointer, and offsets that lie in it.
fn is_header(bytes: &[u8], rest: u64) -> bool {
    let [0xfa | 0xf0 | 0xf1, 0xff, 0xff, 0xff, 0, 0, 1 | 2 | 4, 8, ..] = bytes else {
        return false;
    };
    let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
    let mut offsets = words.skip(4);
    offsets.all(|offset| offset != 0 && offset < rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_told_from_other_data() {
        let header = |offset: u64| {
            let mut bytes = vec![0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8];
            bytes.extend([100, 3, 0, offset, 200, 300].into_iter().flat_map(u64::to_le_bytes));
            bytes
        };
        assert!(is_header(&header(96), 1000));
        for (offset, rest) in [(0, 1000), (1000, 1000), (96, 250)] {
            assert!(!is_header(&header(offset), rest), "{offset} {rest}");
        }
        assert!(!is_header(&[0; HEADER], 1000));
    }
}
