//! Whether code without unwind information keeps frame pointers, as its bytes show.
//!
//! Large programs are built without unwind information and with frame pointers: Chromium, and what embeds it. Their
//! functions set up a frame first thing; those of other programs hardly ever do.

use std::ops::Range;

use object::ReadRef;

use crate::image::Image;

/// `push %rbp; mov %rsp, %rbp`, in both encodings of the latter (Intel SDM, volume 2, MOV).
const SET_UPS: [[u8; 4]; 2] = [[0x55, 0x48, 0x89, 0xe5], [0x55, 0x48, 0x8b, 0xec]];

/// Pieces that are looked at, spread evenly: 1 MiB in all.
const PIECES: u64 = 64;
const PIECE_BYTES: u64 = 16 << 10;
/// Frames are set up in so many pieces of a hundred at least, for there is data in code, and hand-written assembly.
const MIN_PIECES_PERCENT: u64 = 75;
/// Bytes of code for each set-up, at most. Chromium has 350; of programs without frame pointers, which set up a frame where
/// its size is not known at compile time, gdb has 1500, others 10,000 and more.
const MAX_BYTES_A_SET_UP: u64 = 1024;

/// Whether nearly all of the code in `holes`, which are sorted and disjoint, sets up frames.
pub(super) fn keeps_frame_pointers<'d, R: ReadRef<'d>>(
    image: &Image<'d, R>,
    holes: &[Range<u64>],
) -> bool {
    let total: u64 = holes.iter().map(|hole| hole.end - hole.start).sum();
    let (mut pieces, mut with_set_ups, mut bytes, mut set_ups) = (0, 0, 0, 0);
    for piece in (0..PIECES).filter_map(|index| piece_at(holes, total / PIECES * index)) {
        let Some(code) = image.bytes_at(piece.start, piece.end - piece.start) else { continue };
        let found = code.windows(4).filter(|bytes| SET_UPS.iter().any(|set_up| bytes == set_up));
        let found = found.count() as u64;
        pieces += 1;
        with_set_ups += u64::from(found > 0);
        bytes += code.len() as u64;
        set_ups += found;
    }
    pieces > 0
        && with_set_ups * 100 >= pieces * MIN_PIECES_PERCENT
        && set_ups * MAX_BYTES_A_SET_UP >= bytes
}

/// A piece of the hole that has the byte `offset` of all holes.
fn piece_at(holes: &[Range<u64>], mut offset: u64) -> Option<Range<u64>> {
    let hole = holes.iter().find(|hole| {
        let len = hole.end - hole.start;
        let is_inside = offset < len;
        if !is_inside {
            offset -= len;
        }
        is_inside
    })?;
    let start = hole.start + offset;
    Some(start..hole.end.min(start + PIECE_BYTES))
}
