//! Changes to ELF files that keep most of the file an ELF file: fields of headers, lengths and LEB128 numbers inside of
//! sections, tables that overlap. Bytes changed at random almost always break the first header instead.
//!
//! Layout: System V gABI, "ELF Header", "Section Header", "Program Header", 64 bit, little endian.

use std::ops::Range;

use crate::Random;

const HEADER: Table = Table { at: 0, entry: 64, count: 1 };
const FIELDS_OF_HEADER: &[Field] = &[
    (0x10, 2),
    (0x12, 2),
    (0x18, 8),
    (0x20, 8),
    (0x28, 8),
    (0x36, 2),
    (0x38, 2),
    (0x3a, 2),
    (0x3c, 2),
    (0x3e, 2),
];
const FIELDS_OF_PROGRAM: &[Field] =
    &[(0, 4), (4, 4), (8, 8), (0x10, 8), (0x18, 8), (0x20, 8), (0x28, 8), (0x30, 8)];
const FIELDS_OF_SECTION: &[Field] = &[
    (0, 4),
    (4, 4),
    (8, 8),
    (0x10, 8),
    (0x18, 8),
    (0x20, 8),
    (0x28, 4),
    (0x2c, 4),
    (0x30, 8),
    (0x38, 8),
];
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    3,
    7,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 40,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// Offset in its entry, and width in bytes.
type Field = (usize, usize);

/// Entries of one size in a row.
#[derive(Clone, Copy, Debug)]
struct Table {
    at: usize,
    entry: usize,
    count: usize,
}

/// Changes the first `size` bytes of `data` and returns the new size, at most `data.len()`.
pub fn mutate_elf(data: &mut [u8], size: usize, random: &mut Random) -> usize {
    let bytes = &mut data[..size];
    for _ in 0..=random.below(4) {
        match random.below(8) {
            0 => change_field(bytes, HEADER, FIELDS_OF_HEADER, random),
            1 => change_field(bytes, program_headers(bytes), FIELDS_OF_PROGRAM, random),
            2 | 3 => change_field(bytes, section_headers(bytes), FIELDS_OF_SECTION, random),
            4 | 5 => change_contents(bytes, random),
            6 => copy_within(bytes, random),
            _ => swap_sections(bytes, random),
        }
    }
    // Now and then, an end that comes early.
    if random.below(64) == 0 { random.below(size + 1) } else { size }
}

fn program_headers(bytes: &[u8]) -> Table {
    Table { at: number(bytes, 0x20, 8) as usize, entry: 56, count: number(bytes, 0x38, 2) as usize }
}

fn section_headers(bytes: &[u8]) -> Table {
    Table { at: number(bytes, 0x28, 8) as usize, entry: 64, count: number(bytes, 0x3c, 2) as usize }
}

fn change_field(bytes: &mut [u8], table: Table, fields: &[Field], random: &mut Random) {
    let Some(&(offset, width)) = random.one_of(fields) else { return };
    let Some(at) = entry_of(table, random).and_then(|entry| entry.checked_add(offset)) else {
        return;
    };
    let value = number(bytes, at, width);
    let value = other_value(value, bytes, random);
    put(bytes, at, width, value);
}

/// Near the old one, an edge, or a number that stands elsewhere in the file.
fn other_value(value: u64, bytes: &[u8], random: &mut Random) -> u64 {
    match random.below(6) {
        0 => value.wrapping_add(1 + random.below(16) as u64),
        1 => value.wrapping_sub(1 + random.below(16) as u64),
        2 => value << random.below(8),
        3 => bytes.len() as u64,
        4 => number(bytes, random.below(bytes.len()), 8),
        _ => EDGES[random.below(EDGES.len())],
    }
}

/// A number inside of a section: fixed width, or LEB128 that does not end.
fn change_contents(bytes: &mut [u8], random: &mut Random) {
    let range = section_contents(bytes, random);
    let at = range.start + random.below(range.len());
    if random.below(4) == 0 {
        let end = (at + 1 + random.below(12)).min(range.end);
        bytes[at.min(end)..end].fill(if random.below(2) == 0 { 0xff } else { 0x80 });
        return;
    }
    let width = 1 << random.below(4);
    let value = other_value(number(bytes, at, width), bytes, random);
    put(bytes, at, width, value);
}

fn copy_within(bytes: &mut [u8], random: &mut Random) {
    let (from, to) = (section_contents(bytes, random), section_contents(bytes, random));
    let len = random.below(from.len().min(to.len()).min(256) + 1);
    let start = from.start + random.below(from.len() - len + 1);
    let target = to.start + random.below(to.len() - len + 1);
    bytes.copy_within(start..start + len, target);
}

/// Exchanges the places of two sections' contents; names and types stay.
fn swap_sections(bytes: &mut [u8], random: &mut Random) {
    let table = section_headers(bytes);
    let (Some(left), Some(right)) = (entry_of(table, random), entry_of(table, random)) else {
        return;
    };
    for offset in [0x10, 0x18, 0x20] {
        let (Some(left), Some(right)) = (left.checked_add(offset), right.checked_add(offset))
        else {
            return;
        };
        let (one, other) = (number(bytes, left, 8), number(bytes, right, 8));
        put(bytes, left, 8, other);
        put(bytes, right, 8, one);
    }
}

/// The bytes of a section, or the whole file if that one has none.
fn section_contents(bytes: &[u8], random: &mut Random) -> Range<usize> {
    let place = entry_of(section_headers(bytes), random).and_then(|entry| {
        let start = usize::try_from(number(bytes, entry.checked_add(0x18)?, 8)).ok()?;
        let len = usize::try_from(number(bytes, entry.checked_add(0x20)?, 8)).ok()?;
        let end = start.checked_add(len)?.min(bytes.len());
        (start < end).then_some(start..end)
    });
    place.unwrap_or(0..bytes.len())
}

fn entry_of(table: Table, random: &mut Random) -> Option<usize> {
    let index = random.below(table.count.min(256));
    index.checked_mul(table.entry)?.checked_add(table.at)
}

/// 0 behind the end.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    let field = at.checked_add(width).and_then(|end| bytes.get(at..end)).unwrap_or_default();
    field.iter().rev().fold(0, |value, &byte| (value << 8) | u64::from(byte))
}

/// Nothing behind the end.
fn put(bytes: &mut [u8], at: usize, width: usize, value: u64) {
    let field = at.checked_add(width).and_then(|end| bytes.get_mut(at..end)).unwrap_or_default();
    for (byte, new) in field.iter_mut().zip(value.to_le_bytes()) {
        *byte = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_written_in_bounds() {
        let mut bytes = [1, 2, 3, 4];
        for (at, width, expected) in [(0, 2, 0x0201), (2, 2, 0x0403), (3, 2, 0), (usize::MAX, 8, 0)]
        {
            assert_eq!(number(&bytes, at, width), expected, "{width} bytes at {at}");
        }
        put(&mut bytes, 1, 2, 0xaabb);
        put(&mut bytes, 3, 2, u64::MAX);
        put(&mut bytes, usize::MAX, 8, u64::MAX);
        assert_eq!(bytes, [1, 0xbb, 0xaa, 4]);
    }

    #[test]
    fn any_bytes_are_changed_within_their_size() {
        let mut changed = 0;
        for seed in 0..20_000 {
            let mut random = Random::new(seed);
            let size = random.below(300);
            let mut data: Vec<u8> = (0..size).map(|_| random.next_u64() as u8).collect();
            data.extend([0x5a; 8]);
            let before = data.clone();
            let new_size = mutate_elf(&mut data, size, &mut random);
            assert!(new_size <= size);
            assert_eq!(data[size..], [0x5a; 8], "seed {seed}");
            changed += usize::from(data != before || new_size != size);
        }
        assert!(changed > 10_000, "{changed}");
    }
}
