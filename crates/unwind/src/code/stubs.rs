//! Stubs of the procedure linkage table, found by the slots that they jump through: the relocations tell of those. No
//! code calls a stub's second part, and none a stub that only other objects use.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use object::ReadRef;

use crate::image::Image;

/// `Elf64_Rela`
const RELOCATION: usize = 24;
/// 170,000 slots: large libraries have some ten thousand.
const MAX_RELOCATION_BYTES: u64 = 4 << 20;
/// Linkers align stubs so.
const STUB: usize = 16;
/// `jmp *displacement(%rip)`
const JUMP: [u8; 2] = [0xff, 0x25];
const JUMP_LEN: usize = 6;
const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// Where stubs in `holes` begin, and where slots lead until their functions are looked up.
pub(super) fn find<'d, R: ReadRef<'d>>(
    image: &Image<'d, R>,
    holes: &[Range<u64>],
) -> BTreeSet<u64> {
    let slots = slots(image);
    if slots.is_empty() {
        return BTreeSet::new();
    }
    let is_in_hole = |svma: &u64| {
        let hole = holes.partition_point(|hole| hole.end <= *svma);
        holes.get(hole).is_some_and(|hole| hole.contains(svma))
    };
    let mut starts: BTreeSet<u64> =
        slots.iter().filter_map(|slot| first_target(image, *slot)).filter(is_in_hole).collect();
    for hole in holes {
        let Some(code) = image.bytes_at(hole.start, hole.end - hole.start) else { continue };
        let first = (hole.start.next_multiple_of(STUB as u64) - hole.start) as usize;
        for at in (first..code.len()).step_by(STUB) {
            let svma = hole.start + at as u64;
            let stub = &code[at..code.len().min(at + STUB)];
            let jump_at = if stub.starts_with(&ENDBR64) { ENDBR64.len() } else { 0 };
            if slot_of(stub, jump_at, svma).is_some_and(|slot| slots.contains(&slot)) {
                starts.insert(svma);
            }
        }
    }
    starts
}

fn slots<'d, R: ReadRef<'d>>(image: &Image<'d, R>) -> HashSet<u64> {
    const TABLE: &str = ".rela.plt";
    let is_small = image.section(TABLE).is_some_and(|table| table.size <= MAX_RELOCATION_BYTES);
    let data = if is_small { image.section_data(TABLE).ok().flatten() } else { None };
    let Some(relocations) = data else { return HashSet::new() };
    let relocations = relocations.bytes.chunks_exact(RELOCATION);
    relocations.filter_map(|entry| Some(u64::from_le_bytes(entry[..8].try_into().ok()?))).collect()
}

/// The slot that the instruction at `jump_at` jumps through.
fn slot_of(stub: &[u8], jump_at: usize, svma: u64) -> Option<u64> {
    let displacement = stub.get(jump_at..jump_at + JUMP_LEN)?.strip_prefix(&JUMP)?;
    let displacement = i32::from_le_bytes(displacement.try_into().ok()?);
    Some((svma + (jump_at + JUMP_LEN) as u64).wrapping_add_signed(displacement.into()))
}

/// Where `slot` leads in the file.
fn first_target<'d, R: ReadRef<'d>>(image: &Image<'d, R>, slot: u64) -> Option<u64> {
    image.bytes_at(slot, 8)?.try_into().ok().map(u64::from_le_bytes)
}
