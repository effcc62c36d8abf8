//! Compiled code: what function it is of, and which others were put into it.

use infrared_abi::IR_V8_COMPILED;

use super::functions::Function;
use super::layout::Layout;
use super::objects::{Object, element, int, object, table, untagged};
use super::positions::{Position, position_at};
use crate::memory::{Memory, block, number64};
use crate::{Line, Named};

const WORD: u64 = 8;
/// Of what the instructions are in: the Code.
const CODE: u16 = 8;
/// Of what a function is wrapped in.
const WRAPPED: u16 = 8;
/// Bytes before a place in which the start of its code is looked for.
const FARTHEST: u64 = 256 << 10;
const AT_ONCE: u64 = 4096;
/// Words of code that look like an object's first one, and are looked at.
const MOST_LOOKS: u32 = 512;
/// The kind is in so many bits of the flags.
const KIND_BITS: u32 = 15;
/// Functions that were put one into the other.
const MOST_INLINED: usize = 64;
/// Of a call that was put into the code: where it is, and the number of its function, 8 bytes each.
const INLINED_BYTES: usize = 16;

/// The Code that has a place, and where in it that is.
struct Found {
    code: Object,
    offset: u32,
    kind: u32,
}

impl Layout {
    /// What a frame of compiled code runs: the function at `place`, with the upper half of `space` and `low` as the place in the code.
    pub(crate) fn compiled(
        &self,
        memory: &dyn Memory,
        (place, space, low): (u64, u32, u32),
    ) -> Option<Named> {
        let shared = place & !u64::from(IR_V8_COMPILED);
        let (pc, check) =
            (u64::from(space >> 16) << 32 | u64::from(low), u64::from(space & 0xffff));
        let function = self.function(memory, shared)?;
        let lines = self.lines_of_code(memory, &function, pc);
        // Afterwards: it may have been freed or moved in between.
        let hash = self.function(memory, shared)?.hash;
        (hash >> 48 == check).then(|| Named::JavaScript(lines.into()))
    }

    /// Innermost first. Of code that is not there any more, or is not the function's, the function alone is known.
    fn lines_of_code(&self, memory: &dyn Memory, function: &Function, pc: u64) -> Vec<Line> {
        let plain = || vec![self.line_of(memory, function, None)];
        match self.code_at(memory, pc) {
            Some(found) if found.kind == self.code.baseline => {
                // Another function's code may be there by now.
                let own = self.bytecodes(memory, function.shared);
                let at = self.bytecode_of(memory, found.code, found.offset);
                let at = at.filter(|(bytecodes, _)| Some(*bytecodes) == own);
                vec![self.line_in_bytecode(memory, function, at)]
            }
            Some(found) => self.optimized(memory, function, &found).unwrap_or_else(plain),
            None => plain(),
        }
    }

    fn optimized(
        &self,
        memory: &dyn Memory,
        function: &Function,
        found: &Found,
    ) -> Option<Vec<Line>> {
        let deopt = object(memory, found.code, self.code.deopt)?;
        let part = |index: u16| untagged(element(memory, deopt, index.into())?);
        let mut own = part(self.code.optimized)?;
        if self.code.is_wrapped {
            own = object(memory, own, WRAPPED)?;
        }
        if own != function.shared {
            return None;
        }
        let positions = table(memory, object(memory, found.code, self.code.positions)?)?;
        let mut at = position_at(&positions, self.positions, found.offset)?;
        let inlined = table(memory, part(self.code.inlined)?).unwrap_or_default();
        let mut lines = Vec::new();
        while at.inlined != 0 && lines.len() < MOST_INLINED {
            let first = (at.inlined as usize - 1) * INLINED_BYTES;
            let record = inlined.get(first..first + INLINED_BYTES)?;
            let (outer, index) = record.split_first_chunk::<8>()?;
            let index = u32::from_le_bytes(*index.first_chunk()?);
            let shared = untagged(element(memory, part(self.code.literals)?, index)?)?;
            let inner = self.function(memory, shared)?;
            lines.push(self.line_of(memory, &inner, Some(at.offset)));
            let outer = Position::of(u64::from_le_bytes(*outer))?;
            // What a call is in was put in before it.
            if outer.inlined >= at.inlined {
                return None;
            }
            at = outer;
        }
        lines.push(self.line_of(memory, function, Some(at.offset)));
        Some(lines)
    }

    /// The code that a place is in: what its instructions are in begins with a pointer to a map of a type of its own.
    fn code_at(&self, memory: &dyn Memory, pc: u64) -> Option<Found> {
        let (mut end, lowest) =
            ((pc & !(WORD - 1)).checked_add(WORD)?, pc.saturating_sub(FARTHEST));
        let mut looks = 0;
        while end > lowest {
            let start = (end - 1) & !(AT_ONCE - 1);
            let piece = block(memory, start, end - start, AT_ONCE as usize)?;
            for (index, word) in piece.as_chunks::<8>().0.iter().enumerate().rev() {
                if untagged(u64::from_le_bytes(*word))
                    .is_none_or(|map| map % WORD != 0 || map < AT_ONCE)
                {
                    continue;
                }
                looks += 1;
                if looks > MOST_LOOKS {
                    return None;
                }
                let stream = start + index as u64 * WORD;
                if self.type_of(memory, stream) == Some(self.code.stream_type) {
                    return self.found(memory, stream, pc);
                }
            }
            end = start;
        }
        None
    }

    fn found(&self, memory: &dyn Memory, stream: Object, pc: u64) -> Option<Found> {
        let start = stream.checked_add(self.code.stream_start.into())?;
        let code = match self.code.start {
            Some(at) => {
                let code = object(memory, stream, CODE)?;
                let told = number64(memory, code.checked_add(at.into())?)?;
                (told == start && self.type_of(memory, code)? == self.code.kind).then_some(code)?
            }
            None => stream,
        };
        let offset = u32::try_from(pc.checked_sub(start)?).ok()?;
        if offset >= int(memory, code, self.code.size)? {
            return None;
        }
        let kind = int(memory, code, self.code.flags)? & KIND_BITS;
        Some(Found { code, offset, kind })
    }
}
