//! Baseline code (src/baseline): from a place in it to a bytecode.

use super::functions::BYTECODE_COUNT;
use super::layout::Layout;
use super::objects::{Object, object, small, table};
use super::positions::number;
use crate::ImageFacts;
use crate::memory::{Memory, block};

/// Widths of operands: plain, and after each of the two bytecodes that say so.
const WIDTHS: usize = 3;
/// These two, and the same for a debugger.
const PREFIXES: u8 = 4;
/// Bytes of bytecode of one function at most.
const LONGEST: usize = 256 << 10;

/// How long each bytecode is, a row for each width.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BytecodeSizes(Vec<u8>);

impl BytecodeSizes {
    /// Of none where the image does not tell.
    pub(super) fn of(image: &ImageFacts<'_>, symbol: &str) -> Self {
        let read = || {
            let symbol = image.symbol(symbol)?;
            let count = usize::try_from(symbol.size).ok().filter(|size| *size <= WIDTHS * 256)?;
            let mut sizes = vec![0; count];
            ((image.read)(symbol.address, &mut sizes) == count).then_some(sizes)
        };
        Self(read().unwrap_or_default())
    }

    /// Bytes of the bytecode at the start of `code`, with what comes before it.
    fn length(&self, code: &[u8]) -> Option<usize> {
        let count = self.0.len() / WIDTHS;
        let size = |bytecode: &u8, width: usize| {
            let size = usize::from(*self.0.get(usize::from(*bytecode) + width * count)?);
            (usize::from(*bytecode) < count && size > 0).then_some(size)
        };
        let first = code.first()?;
        if *first >= PREFIXES {
            return size(first, 0);
        }
        Some(1 + size(code.get(1)?, 1 + usize::from(first % 2))?)
    }
}

impl Layout {
    /// The bytecode that a place in baseline code was made of, and the offset in it.
    pub(super) fn bytecode_of(
        &self,
        memory: &dyn Memory,
        code: Object,
        place: u32,
    ) -> Option<(Object, u32)> {
        let bytecodes = self.bytecodes_behind(memory, code)?;
        let length = u64::try_from(small(memory, bytecodes, BYTECODE_COUNT)?).ok()?;
        let start = bytecodes.checked_add(self.function.bytecodes.into())?;
        let bytes = block(memory, start, length, LONGEST)?;
        let table = table(memory, object(memory, code, self.code.positions)?)?;
        // What comes before the first bytecode has an entry of its own.
        let mut rest = &table[..];
        let (mut end, mut at) = (number(&mut rest)?, 0);
        if u64::from(place) < end {
            return Some((bytecodes, 0));
        }
        loop {
            end = end.checked_add(number(&mut rest)?)?;
            if u64::from(place) < end {
                return Some((bytecodes, u32::try_from(at).ok()?));
            }
            at += self.bytecode_sizes.length(bytes.get(at..)?)?;
        }
    }
}
