//! Where Go's text starts.
//!
//! Since Go 1.18 functions are offsets from it; since Go 1.26 the table itself no longer says it, and before, a
//! position-independent executable has it only after relocation.

use object::ReadRef;

use super::pclntab::Pclntab;
use crate::image::Image;

/// Go's text is aligned at least so.
const ALIGNMENT: usize = 16;

/// How far behind the start of `.text` the linker may have put the C start-up code before Go's text.
const MAX_BEFORE_GO: u64 = 8 << 20;

/// The address that function offsets are relative to: 0 in releases that list addresses.
///
/// A start is right if the code of `runtime.goexit` is where the table says: `nop; call runtime.goexit1; nop`, of
/// which the call's distance is known.
pub(super) fn start<'d, R: ReadRef<'d>>(image: &Image<'d, R>, table: &Pclntab<'_>) -> Option<u64> {
    if !table.is_relative() {
        return Some(0);
    }
    let goexit = Goexit::find(table)?;
    let is_start = |start: u64| {
        let code = image.bytes_at(start.checked_add(goexit.entry)?, GOEXIT_LEN)?;
        Some(goexit.is_at(code))
    };
    let text = image.section(".text").map(|section| section.address);
    let candidates = [Some(table.header_text_start), text];
    for candidate in candidates.into_iter().flatten() {
        if is_start(candidate) == Some(true) {
            return Some(candidate);
        }
    }
    let from = text.or_else(|| image.code.first().map(|range| range.start))?;
    let window_start = from.checked_add(goexit.entry)?;
    let end = image.code.iter().find(|range| range.contains(&window_start))?.end;
    let window = image.bytes_at(window_start, (end - window_start).min(MAX_BEFORE_GO))?;
    // Function entries are aligned in relation to the start, so only aligned starts are looked at.
    let misaligned = (from as usize).wrapping_neg() % ALIGNMENT;
    (misaligned..window.len())
        .step_by(ALIGNMENT)
        .find(|&at| goexit.is_at(&window[at..]))
        .map(|at| from + at as u64)
}

const GOEXIT_LEN: u64 = 7;

/// Where `runtime.goexit` is, and what it may call: `goexit1` or its wrapper for assembly, which has the same name.
#[derive(Debug)]
struct Goexit {
    entry: u64,
    callees: Vec<u64>,
}

impl Goexit {
    fn find(table: &Pclntab<'_>) -> Option<Self> {
        let (mut entry, mut callees) = (None, Vec::new());
        for function in (0..table.count).filter_map(|index| table.function(index)) {
            match function.name {
                b"runtime.goexit" => entry = Some(function.entry),
                b"runtime.goexit1" if callees.len() < 4 => callees.push(function.entry),
                _ => {}
            }
        }
        Some(Self { entry: entry?, callees })
    }

    fn is_at(&self, code: &[u8]) -> bool {
        let [0x90, 0xe8, a, b, c, d, 0x90, ..] = *code else { return false };
        let distance = i64::from(i32::from_le_bytes([a, b, c, d]));
        let callee = (self.entry as i64).wrapping_add(6).wrapping_add(distance);
        self.callees.contains(&(callee as u64))
    }
}
