//! Compiled methods: which methods, one in the other, the code at a pc is of. `PcDesc` (src/hotspot/share/code/pcDesc.hpp) leads to a scope,
//! which says what method it is of, at which bytecode, and which scope it was put into (scopeDesc.cpp).

use super::{
    layout::{CodeBegin, Layout, Metadata, ScopeData, ScopeLayout},
    numbers::Numbers,
};
use crate::memory::{Memory, block, bytes, number32, pointer};
use crate::{Line, Named};

const NMETHOD: &[u8; 8] = b"nmethod\0";
const NATIVE: &[u8; 8] = b"native n";
/// `StubRoutines (continuation stubs)`, and as 22 and later write it.
const BARRIER: &str = "(continuation";
const FROZEN: &str = "frozen frames";
/// Bytes of a `PcDesc`: pc, scope and objects, as offsets, and flags.
const DESCRIPTOR: u64 = 16;
const MOST_DESCRIPTORS: u64 = 1 << 20;
/// Scopes, one in the other: C2 inlines some ten deep.
const MOST_SCOPES: usize = 64;
/// Three numbers.
const SCOPE_BYTES: usize = 15;
const POINTER: u64 = 8;

impl Layout {
    /// What a frame at `position` from the start of the blob at `blob` runs. `check`: the number of its compilation.
    pub(crate) fn compiled(
        &self,
        memory: &dyn Memory,
        (blob, check, position): (u64, u32, u32),
    ) -> Option<Named> {
        let name = pointer(memory, blob.checked_add(self.blob.name.into())?)?;
        let kind: [u8; 8] = bytes(memory, name)?;
        if kind != *NMETHOD && kind != *NATIVE {
            return Some(Named::Runtime(stub_name(memory, name)?.into()));
        }
        let lines = self.compiled_lines(memory, blob, position)?;
        // Afterwards: it may have been freed in between.
        let id = number32(memory, blob + u64::from(self.blob.compile_id))?;
        (id == check).then(|| Named::Java(lines.into()))
    }

    fn compiled_lines(&self, memory: &dyn Memory, blob: u64, position: u32) -> Option<Vec<Line>> {
        if let Some(scopes) = &self.scopes
            && let Some(lines) = self.inlined(memory, scopes, (blob, position))
        {
            return Some(lines);
        }
        // A wrapper of a native method has no scopes.
        let method = pointer(memory, blob + u64::from(self.blob.method))?;
        Some(vec![self.method(memory, method)?.line(u32::MAX).map(without_line)?])
    }

    /// Innermost first.
    fn inlined(
        &self,
        memory: &dyn Memory,
        scopes: &ScopeLayout,
        (blob, position): (u64, u32),
    ) -> Option<Vec<Line>> {
        let field = |at: u16| number32(memory, blob + u64::from(at));
        let code = match self.blob.code {
            CodeBegin::Pointer(at) => pointer(memory, blob + u64::from(at))?,
            CodeBegin::Offset(at) => blob + u64::from(field(at)?),
        };
        let offset = (blob + u64::from(position)).checked_sub(code)?;
        let (base, data) = match scopes.data {
            ScopeData::Pointer(at) => (blob, pointer(memory, blob + u64::from(at))?),
            ScopeData::Offset(at) => (blob, blob + u64::from(field(at)?)),
            ScopeData::Immutable { base, offset } => {
                let base = pointer(memory, blob + u64::from(base))?;
                (base, base + u64::from(field(offset)?))
            }
        };
        let pcs = (field(scopes.pcs)?, field(scopes.pcs_end)?);
        let (first, end) = (base + u64::from(pcs.0), base + u64::from(pcs.1));
        let mut scope = scope_of(memory, (first, end), offset)?;
        let metadata = match scopes.metadata {
            Metadata::Offset(at) => blob + u64::from(field(at)?),
            Metadata::Mutable { base, relocation_size } => {
                let size = u64::from(field(relocation_size)?);
                pointer(memory, blob + u64::from(base))? + size.next_multiple_of(POINTER)
            }
        };
        let mut lines = Vec::new();
        while scope != 0 && lines.len() < MOST_SCOPES {
            let bytes = block(memory, data + u64::from(scope), SCOPE_BYTES as u64, SCOPE_BYTES)?;
            let mut numbers = Numbers::new(&bytes, self.method.numbers);
            let (sender, method) = (numbers.unsigned()?, numbers.unsigned()?);
            // One more, as it is -1 before the first.
            let bytecode = numbers.unsigned()?.saturating_sub(1);
            let at = metadata + u64::from(method.checked_sub(1)?) * POINTER;
            lines.push(self.method(memory, pointer(memory, at)?)?.line(bytecode)?);
            // What it was put into was described before it.
            if sender >= scope {
                break;
            }
            scope = sender;
        }
        (!lines.is_empty()).then_some(lines)
    }
}

/// The scope of the first descriptor at or after an offset: what all tools show, as there is one for each place that is safe to stop at.
fn scope_of(memory: &dyn Memory, (first, end): (u64, u64), offset: u64) -> Option<u32> {
    let count = end.checked_sub(first)? / DESCRIPTOR;
    if count > MOST_DESCRIPTORS {
        return None;
    }
    let descriptor = |number: u64| -> Option<[u32; 2]> {
        let bytes: [u8; 8] = bytes(memory, first + number * DESCRIPTOR)?;
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Some([word(0), word(4)])
    };
    // The first is of no pc: -1.
    let (mut low, mut high) = (1, count);
    while low < high {
        let middle = low.midpoint(high);
        if u64::from(descriptor(middle)?[0]) < offset {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (low < count).then(|| descriptor(low)).flatten().map(|[_, scope]| scope)
}

/// The place in a wrapper tells nothing of the method.
fn without_line(line: Line) -> Line {
    Line { line: 0, ..line }
}

/// A blob's name, as far as it is one.
fn stub_name(memory: &dyn Memory, name: u64) -> Option<String> {
    const LONGEST: usize = 64;
    let text = block(memory, name, LONGEST as u64, LONGEST)?;
    let text = text.split(|byte| *byte == 0).next()?;
    let is_name = text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let name = String::from_utf8_lossy(text);
    // A virtual thread has only its innermost frames on the stack: where they return to stands for the others, which are in the heap.
    let shown = if name.contains(BARRIER) { FROZEN } else { &*name };
    (is_name && !text.is_empty()).then(|| shown.to_owned())
}
