//! Python's strings (`PyUnicodeObject`, Include/cpython/unicodeobject.h), in their compact form: what names and paths are.

use crate::memory::{Memory, block, number32, number64};

/// Characters of a name or path at most.
const LONGEST: u64 = 1024;

const LENGTH: u64 = 16;
const HASH: u64 = 24;
const STATE: u64 = 32;

/// Where the characters of compact strings begin, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextLayout {
    pub(super) ascii: u8,
    pub(super) other: u8,
}

impl TextLayout {
    /// Until 3.11 there is a pointer to another form of the characters.
    pub(super) const WITH_WCHAR: Self = Self { ascii: 48, other: 72 };
    pub(super) const PLAIN: Self = Self { ascii: 40, other: 56 };

    /// The string at `address`, cut where it is too long; control characters are escaped. `None` if there is none.
    pub(super) fn read(self, memory: &dyn Memory, address: u64) -> Option<String> {
        let state = number32(memory, address + STATE)?;
        let (width, is_compact, is_ascii) =
            (state >> 2 & 7, state >> 5 & 1 != 0, state >> 6 & 1 != 0);
        if !is_compact || !matches!((width, is_ascii), (1, _) | (2 | 4, false)) {
            return None;
        }
        let length = number64(memory, address + LENGTH)?.min(LONGEST);
        let start = address + u64::from(if is_ascii { self.ascii } else { self.other });
        let bytes = block(memory, start, length * u64::from(width), LONGEST as usize * 4)?;
        let points = bytes.chunks_exact(width as usize).map(|unit| {
            let mut point = [0; 4];
            point[..unit.len()].copy_from_slice(unit);
            char::from_u32(u32::from_le_bytes(point)).unwrap_or(char::REPLACEMENT_CHARACTER)
        });
        Some(cleaned(points))
    }
}

/// A string keeps its hash once it was asked for, as each name is.
pub(super) fn kept_hash(memory: &dyn Memory, text: u64) -> Option<u64> {
    number64(memory, text + HASH)
}

/// A name of its owner's choosing must not break a line of text.
fn cleaned(points: impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    for point in points {
        if point.is_control() {
            text.extend(point.escape_default());
        } else {
            text.push(point);
        }
    }
    text
}
