//! Strings (src/objects/string.h): the same since 10.

use super::layout::Layout;
use super::objects::{Object, int, object, small};
use crate::memory::{Memory, block, number64};

/// Types below this are those of strings.
const NOT_STRINGS: u16 = 0x80;
const KIND: u16 = 7;
const ONE_BYTE: u16 = 8;
const LENGTH: u16 = 12;
/// The characters; the first part; the string that it is part of, or that stands for it.
const FIRST: u16 = 16;
const SECOND: u16 = 24;
/// Of an external string: where the characters are.
const DATA: u16 = 24;
/// So deep strings are in one another.
const DEPTH: u32 = 8;
/// Units of a name or path at most.
const LONGEST: u32 = 1024;

/// Characters that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flat {
    pub(super) start: u64,
    /// Of one or two bytes each.
    pub(super) units: u32,
    pub(super) width: u64,
}

impl Layout {
    /// A name or path, cut where it is too long. `None` if there is none.
    pub(super) fn text(&self, memory: &dyn Memory, string: Object) -> Option<String> {
        let mut text = String::new();
        self.add_text(memory, string, (&mut text, DEPTH))?;
        Some(text)
    }

    fn add_text(
        &self,
        memory: &dyn Memory,
        string: Object,
        (text, depth): (&mut String, u32),
    ) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let kind = self.string_type(memory, string)?;
        if kind & KIND == 1 {
            self.add_text(memory, object(memory, string, FIRST)?, (text, depth))?;
            if text.len() < LONGEST as usize {
                self.add_text(memory, object(memory, string, SECOND)?, (text, depth))?;
            }
            return Some(());
        }
        let flat = self.flat(memory, string)?;
        let units = flat.units.min(LONGEST);
        let bytes = block(memory, flat.start, u64::from(units) * flat.width, LONGEST as usize * 2)?;
        let units: Vec<u16> = match flat.width {
            1 => bytes.iter().map(|byte| u16::from(*byte)).collect(),
            _ => bytes.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect(),
        };
        // A name of its owner's choosing must not break a line of text.
        let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        text.extend(
            char::decode_utf16(units)
                .map(|point| shown(point.unwrap_or(char::REPLACEMENT_CHARACTER))),
        );
        Some(())
    }

    /// The characters of a string that has them in one piece.
    pub(super) fn flat(&self, memory: &dyn Memory, string: Object) -> Option<Flat> {
        let (mut string, mut skipped, mut units) = (string, 0_u32, int(memory, string, LENGTH)?);
        for _ in 0..DEPTH {
            let kind = self.string_type(memory, string)?;
            let width = if kind & ONE_BYTE != 0 { 1 } else { 2 };
            let within = |start: u64| {
                let start = start.checked_add(u64::from(skipped) * width)?;
                Some(Flat { start, units, width })
            };
            match kind & KIND {
                0 => return within(string.checked_add(FIRST.into())?),
                2 => return within(number64(memory, string.checked_add(DATA.into())?)?),
                // Its second part is empty once it was made one piece.
                1 if int(memory, object(memory, string, SECOND)?, LENGTH)? == 0 => {
                    string = object(memory, string, FIRST)?;
                }
                3 => {
                    skipped = skipped.checked_add_signed(small(memory, string, SECOND)?)?;
                    string = object(memory, string, FIRST)?;
                }
                5 => string = object(memory, string, FIRST)?,
                _ => return None,
            }
            let length = int(memory, string, LENGTH)?;
            units = units.min(length.checked_sub(skipped)?);
        }
        None
    }

    fn string_type(&self, memory: &dyn Memory, string: Object) -> Option<u16> {
        self.type_of(memory, string).filter(|kind| *kind < NOT_STRINGS)
    }
}
