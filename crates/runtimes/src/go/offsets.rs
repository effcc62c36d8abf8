//! Where Go's runtime keeps what a switch of stacks has to know, read from the code of `runtime.systemstack` (amd64).
//!
//! Facts from `runtime/asm_amd64.s` of Go 1.26. The code itself is read, so that no list of releases is kept.

use infrared_abi::ir_go_state;

/// The offsets from the code of `runtime.systemstack`.
///
/// ```text
/// mov rax, fs:[g]         64 48 8b 04 25 disp32    or  mov rcx, imm32 (48 c7 c1 imm32); mov rax, fs:[rcx]
/// mov rbx, [rax + g.m]    48 8b 58 disp8
/// cmp rax, [rbx + m.curg] 48 3b 83 disp32
/// mov rsp, [rdx + sp]     48 8b 62 disp8           (mov rbx, [rdx + sp], 48 8b 5a disp8, in old releases)
/// mov rbp, [rax + bp]     48 8b 68 disp8
/// ```
pub(super) fn read(systemstack: &[u8]) -> Option<ir_go_state> {
    let direct = displacement32(systemstack, &[0x64, 0x48, 0x8b, 0x04, 0x25]);
    let indirect = || displacement32(systemstack, &[0x48, 0xc7, 0xc1]);
    let g_tls_offset = direct.or_else(indirect)?;
    let sp = displacement8(systemstack, &[0x48, 0x8b, 0x62])
        .or_else(|| displacement8(systemstack, &[0x48, 0x8b, 0x5a]))?;
    Some(ir_go_state {
        g_tls_offset,
        g_m: displacement8(systemstack, &[0x48, 0x8b, 0x58])?,
        m_curg: u16::try_from(displacement32(systemstack, &[0x48, 0x3b, 0x83])?).ok()?,
        g_sched_sp: sp,
        // gobuf starts with sp and pc in every release.
        g_sched_pc: sp.checked_add(8)?,
        g_sched_bp: displacement8(systemstack, &[0x48, 0x8b, 0x68])?,
        present: 1,
    })
}

fn displacement32(code: &[u8], opcode: &[u8]) -> Option<i32> {
    let at = code.windows(opcode.len()).position(|bytes| bytes == opcode)? + opcode.len();
    Some(i32::from_le_bytes(code.get(at..at + 4)?.try_into().ok()?))
}

fn displacement8(code: &[u8], opcode: &[u8]) -> Option<u16> {
    let at = code.windows(opcode.len()).position(|bytes| bytes == opcode)? + opcode.len();
    u16::try_from(*code.get(at)? as i8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_is_cut_short_shows_nothing_or_all() {
        let code = [
            &[0x48, 0xc7, 0xc1, 0xf0, 0xff, 0xff, 0xff][..],
            &[0x48, 0x8b, 0x58, 0x30, 0x48, 0x3b, 0x83, 0xc0, 0, 0, 0],
            &[0x48, 0x8b, 0x5a, 0x38, 0x48, 0x8b, 0x68, 0x68],
        ]
        .concat();
        for length in 0..code.len() {
            assert_eq!(read(&code[..length]), None, "{length}");
        }
        let offsets = read(&code).unwrap();
        assert_eq!((offsets.g_tls_offset, offsets.g_m, offsets.m_curg), (-16, 0x30, 0xc0));
        let sched = (offsets.g_sched_sp, offsets.g_sched_pc, offsets.g_sched_bp);
        assert_eq!(sched, (0x38, 0x40, 0x68));
    }

    #[test]
    fn what_no_program_has_is_not_an_offset() {
        let with = |m_curg: i32| {
            let curg = [&[0x48, 0x3b, 0x83][..], &m_curg.to_le_bytes()].concat();
            let sched = [0x48, 0x8b, 0x62, 0x7f, 0x48, 0x8b, 0x68, 0x68];
            let g = [0x48, 0xc7, 0xc1, 0xf8, 0xff, 0xff, 0xff, 0x48, 0x8b, 0x58, 0x30];
            read(&[&g[..], &curg, &sched].concat()).map(|offsets| offsets.m_curg)
        };
        assert_eq!((with(-8), with(0x10000), with(0xffff)), (None, None, Some(0xffff)));
    }
}
