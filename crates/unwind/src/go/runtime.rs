//! Functions of the Go runtime that do not return to what their frame says, and the runtime's offsets, read from
//! their code (amd64).
//!
//! Facts from `runtime/asm_amd64.s` and `runtime/sys_linux_amd64.s` of Go 1.26. Functions that switch stacks and keep
//! rbp (`systemstack`, `asmcgocall`, `cgocallback`, `nanotime1`, `vgetrandom1`, …) need nothing of this: they are marked
//! as writing sp, and their frame pointer leads back to the goroutine's stack.

use infrared_abi::{IR_GO_MORESTACK, RuntimeId};

use super::GoOffsets;
use super::pclntab::{FLAG_SP_WRITE, FLAG_TOP_FRAME, Function};
use crate::rule::Rule;

/// How a function's frame leads to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// As its stack heights say.
    Plain,
    /// As its stack heights say until it has a frame pointer, by that from then on.
    FramePointer,
    /// One rule for all of it.
    Whole(Rule),
    /// As its stack heights say until it loads sp, one rule from then on.
    AfterSpLoad(Rule),
}

/// The walk goes on where the goroutine left off.
const MORESTACK: Rule = Rule::of_runtime(RuntimeId::Go, IR_GO_MORESTACK);

/// Functions that write sp, for releases before Go 1.17, which do not flag them.
const SP_WRITERS: &[&[u8]] = &[
    b"runtime.systemstack",
    b"runtime.asmcgocall",
    b"runtime.cgocallback",
    b"runtime.cgocallback_gofunc",
    b"runtime.nanotime",
    b"runtime.nanotime1",
    b"runtime.walltime",
    b"runtime.walltime1",
    b"time.now",
];

pub(super) fn behaviour(function: &Function<'_>) -> Behaviour {
    match function.name {
        // The goroutine's first frame, the first frames of threads and of the process.
        b"runtime.goexit" | b"runtime.mstart" | b"runtime.rt0_go" | b"_rt0_amd64"
        | b"_rt0_amd64_linux" => Behaviour::Whole(Rule::ROOT),
        // Called by the kernel with all registers in the ucontext at rsp (after its `ret`).
        b"runtime.sigreturn__sigaction" | b"runtime.sigreturn" => Behaviour::Whole(Rule::signal(0)),
        // Goes on by sigreturn, although Go's own unwinder stops there.
        b"runtime.sigtramp" => Behaviour::Plain,
        // The goroutine is left for good: what runs next belongs to the thread.
        b"runtime.mcall" | b"runtime.clone" => Behaviour::AfterSpLoad(Rule::ROOT),
        b"runtime.morestack" => Behaviour::AfterSpLoad(MORESTACK),
        b"gogo" | b"runtime.gogo" => Behaviour::AfterSpLoad(Rule::UNSUPPORTED),
        _ if function.flags & FLAG_TOP_FRAME != 0 => Behaviour::Whole(Rule::ROOT),
        name if function.flags & FLAG_SP_WRITE != 0 || SP_WRITERS.contains(&name) => {
            Behaviour::FramePointer
        }
        _ => Behaviour::Plain,
    }
}

/// The offset after the first of `mov rsp, [reg + disp8]`, `mov rsp, [reg]` and `mov rsp, rsi` in `code`.
pub(super) fn after_sp_load(code: &[u8]) -> Option<u64> {
    code.windows(3).enumerate().find_map(|(at, bytes)| {
        let len = match *bytes {
            // in the register's field of these two forms, 4 would mean an index and 5 no register
            [0x48 | 0x49, 0x8b, modrm @ 0x60..=0x67] if modrm != 0x64 => 4,
            [0x48 | 0x49, 0x8b, modrm @ 0x20..=0x27] if modrm != 0x24 && modrm != 0x25 => 3,
            // clone's child takes the stack that it was given
            [0x48, 0x89, 0xf4] => 3,
            _ => return None,
        };
        Some(at as u64 + len)
    })
}

/// The runtime's offsets from the code of `runtime.systemstack`.
///
/// ```text
/// mov rax, fs:[g]         64 48 8b 04 25 disp32    or  mov rcx, imm32 (48 c7 c1 imm32); mov rax, fs:[rcx]
/// mov rbx, [rax + g.m]    48 8b 58 disp8
/// cmp rax, [rbx + m.curg] 48 3b 83 disp32
/// mov rsp, [rdx + sp]     48 8b 62 disp8           (mov rbx, [rdx + sp], 48 8b 5a disp8, in old releases)
/// mov rbp, [rax + bp]     48 8b 68 disp8
/// ```
pub(super) fn offsets(systemstack: &[u8]) -> Option<GoOffsets> {
    let direct = displacement32(systemstack, &[0x64, 0x48, 0x8b, 0x04, 0x25]);
    let indirect = || displacement32(systemstack, &[0x48, 0xc7, 0xc1]);
    let g_tls_offset = direct.or_else(indirect)?;
    let sp = displacement8(systemstack, &[0x48, 0x8b, 0x62])
        .or_else(|| displacement8(systemstack, &[0x48, 0x8b, 0x5a]))?;
    Some(GoOffsets {
        g_tls_offset,
        g_m: displacement8(systemstack, &[0x48, 0x8b, 0x58])?,
        m_curg: u16::try_from(displacement32(systemstack, &[0x48, 0x3b, 0x83])?).ok()?,
        g_sched_sp: sp,
        // gobuf starts with sp and pc in every release.
        g_sched_pc: sp.checked_add(8)?,
        g_sched_bp: displacement8(systemstack, &[0x48, 0x8b, 0x68])?,
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
