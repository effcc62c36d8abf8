//! From a place in a script's source to a line.

use std::{cell::RefCell, collections::HashMap};

use super::layout::Layout;
use super::objects::{Object, object, small};
use super::strings::Flat;
use crate::memory::{Memory, block};

/// Bytes of sources that are looked at in one go through a process: a large program in one file has some 10 MB.
const MOST: u64 = 32 << 20;
const AT_ONCE: u64 = 64 << 10;

/// Where lines end in the sources that were read in one go through a process, and so how much of them was read.
#[derive(Debug, Default)]
pub struct Sources(RefCell<Read>);

#[derive(Debug, Default)]
struct Read {
    ends: HashMap<Flat, Option<Vec<u32>>>,
    bytes: u64,
}

impl Layout {
    /// The line, from 1, of a character; 0: it is not known.
    pub(super) fn line(&self, memory: &dyn Memory, script: Object, offset: u32) -> u32 {
        self.find_line(memory, script, offset).unwrap_or(0)
    }

    fn find_line(&self, memory: &dyn Memory, script: Object, offset: u32) -> Option<u32> {
        let source = self.flat(memory, object(memory, script, self.script.source)?)?;
        let first = small(memory, script, self.script.line_offset).unwrap_or(0);
        let own = Sources::default();
        let before = memory.sources().unwrap_or(&own).ends_before(memory, source, offset)?;
        before.checked_add(1)?.checked_add_signed(first)
    }
}

impl Sources {
    /// Lines that end before a character.
    fn ends_before(&self, memory: &dyn Memory, source: Flat, offset: u32) -> Option<u32> {
        if offset > source.units {
            return None;
        }
        let Read { ends, bytes } = &mut *self.0.borrow_mut();
        let ends = ends.entry(source).or_insert_with(|| {
            *bytes += u64::from(source.units) * source.width;
            (*bytes <= MOST).then(|| ends_of(memory, source)).flatten()
        });
        u32::try_from(ends.as_ref()?.partition_point(|end| *end < offset)).ok()
    }
}

/// The last characters of all lines.
fn ends_of(memory: &dyn Memory, source: Flat) -> Option<Vec<u32>> {
    let bytes = u64::from(source.units) * source.width;
    let (mut ends, mut at, mut done) = (Vec::new(), 0, 0_u64);
    let mut last = 0_u16;
    while done < bytes {
        let piece = AT_ONCE.min(bytes - done);
        let piece = block(memory, source.start.checked_add(done)?, piece, AT_ONCE as usize)?;
        let mut look = |unit: u16| {
            // CR and LF are one.
            if (last, unit) == (0x0d, 0x0a) {
                ends.pop();
            }
            if matches!(unit, 0x0a | 0x0d | 0x2028 | 0x2029) {
                ends.push(at);
            }
            (last, at) = (unit, at + 1);
        };
        match source.width {
            1 => piece.iter().for_each(|byte| look(u16::from(*byte))),
            _ => piece.as_chunks().0.iter().for_each(|unit| look(u16::from_le_bytes(*unit))),
        }
        done += AT_ONCE;
    }
    Some(ends)
}
