//! Where a Go function saves the frame pointer, from the bytes of its prologue (amd64).
//!
//! The compiler and the assembler put the saved rbp right below the return address (`cmd/internal/obj/x86/obj6.go`):
//! since Go 1.21 by `push rbp; mov rbp, rsp`, before by `sub rsp, n; mov [rsp + n - 8], rbp; lea rbp, [rsp + n - 8]`.

/// Offsets from the function's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prologue {
    /// From here on the caller's rbp is at CFA - 16.
    pub(super) saved_from: u64,
    /// From here on rbp is CFA - 16.
    pub(super) frame_from: u64,
}

const PUSH_RBP: u8 = 0x55;
const MOV_RBP_RSP: [u8; 3] = [0x48, 0x89, 0xe5];

/// Longer prologues are not looked at; a stack check takes about 20 bytes, a large frame's 40.
pub(super) const MAX_PROLOGUE: u64 = 96;

/// The prologue of the function with these first bytes, in which sp first moves at `first_step`, to `height`.
pub(super) fn find(code: &[u8], first_step: u64, height: i64) -> Option<Prologue> {
    let step = usize::try_from(first_step).ok()?;
    let after = code.get(step..)?;
    if height == 8 && code.get(step.checked_sub(1)?) == Some(&PUSH_RBP) {
        let frame = if after.starts_with(&MOV_RBP_RSP) { first_step + 3 } else { u64::MAX };
        return Some(Prologue { saved_from: first_step, frame_from: frame });
    }
    let save = rsp_relative(after, 0x89)?;
    let load = rsp_relative(after.get(save.len..)?, 0x8d);
    let at_frame = i64::from(save.displacement) == height - 8;
    at_frame.then(|| {
        let saved_from = first_step + save.len as u64;
        let frame_from = match load {
            Some(load) if load.displacement == save.displacement => saved_from + load.len as u64,
            _ => u64::MAX,
        };
        Prologue { saved_from, frame_from }
    })
}

struct RspRelative {
    displacement: i32,
    len: usize,
}

/// `opcode rbp, [rsp + displacement]`
fn rsp_relative(code: &[u8], opcode: u8) -> Option<RspRelative> {
    let (displacement, len) = match *code {
        [0x48, op, 0x6c, 0x24, displacement, ..] if op == opcode => {
            (i32::from(displacement as i8), 5)
        }
        [0x48, op, 0xac, 0x24, a, b, c, d, ..] if op == opcode => {
            (i32::from_le_bytes([a, b, c, d]), 8)
        }
        _ => return None,
    };
    Some(RspRelative { displacement, len })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prologues_of_all_releases_are_recognised() {
        type Case<'c> = (&'c [u8], u64, i64, Option<(u64, u64)>);
        let cases: [Case<'_>; 5] = [
            (&[0x55, 0x48, 0x89, 0xe5, 0x48], 1, 8, Some((1, 4))),
            (
                &[
                    0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0x6c, 0x24, 0x10, 0x48, 0x8d, 0x6c, 0x24,
                    0x10,
                ],
                4,
                24,
                Some((9, 14)),
            ),
            // rbp is stored elsewhere
            (&[0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0x6c, 0x24, 0x08, 0x90], 4, 24, None),
            // a push of another register
            (&[0x53, 0x48, 0x89, 0xe5], 1, 8, None),
            (&[0x55], 1, 8, Some((1, u64::MAX))),
        ];
        for (code, step, height, expected) in cases {
            let found = find(code, step, height).map(|p| (p.saved_from, p.frame_from));
            assert_eq!(found, expected, "{code:x?}");
        }
    }
}
