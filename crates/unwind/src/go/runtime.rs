//! Functions of the Go runtime that do not return to what their frame says (amd64).
//!
//! Facts from `runtime/asm_amd64.s` and `runtime/sys_linux_amd64.s` of Go 1.26. Functions that switch stacks and keep
//! rbp (`systemstack`, `asmcgocall`, `cgocallback`, `nanotime1`, `vgetrandom1`, …) need nothing of this: they are marked
//! as writing sp, and their frame pointer leads back to the goroutine's stack.

use infrared_abi::{IR_GO_MORESTACK, RuntimeId};

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
