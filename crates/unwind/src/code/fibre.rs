//! Where stacks begin that a program makes for itself, other than by `makecontext`: at code that is never called, whose
//! address is written into the new stack. Nothing is above it.
//!
//! boost.context's fibres (and PHP's, which have its code) begin at a jump to their function, whose return address was in
//! a register; it returns to code that ends the process. Code that is called cannot be mistaken for either: the stack is
//! aligned to 16 bytes where a function is called, and would not be so here (System V ABI, AMD64 supplement, 3.2.2).

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

/// Instructions before the call that does not return: an argument, and a mark for jumps.
const MAX_BEFORE_CALL: usize = 3;

/// How a stack begins at a place whose address is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// `push` of a register, the return address, and `jmp` to where another leads.
    Jump,
    /// A call, and nothing that could be run after it.
    Exit,
}

/// The address that an instruction takes: `lea displacement(%rip)`.
pub(super) fn taken_address(instruction: &Instruction) -> Option<u64> {
    let is_taken =
        instruction.mnemonic() == Mnemonic::Lea && instruction.is_ip_rel_memory_operand();
    is_taken.then(|| instruction.ip_rel_memory_address())
}

/// What begins at `at` in `bytes`, if a stack does so.
pub(super) fn beginning(bytes: &[u8], at: usize) -> Option<Beginning> {
    let decoder = Decoder::new(64, bytes.get(at..)?, DecoderOptions::NONE);
    let instructions: Vec<Instruction> =
        decoder.into_iter().filter(|it| it.mnemonic() != Mnemonic::Endbr64).take(5).collect();
    if let [push, jump, ..] = &instructions[..]
        && push.mnemonic() == Mnemonic::Push
        && is_register(push)
        && jump.flow_control() == FlowControl::IndirectBranch
        && is_register(jump)
    {
        return Some(Beginning::Jump);
    }
    let before = instructions.iter().take_while(|it| makes_argument(it)).count();
    let exits = matches!(
        instructions.get(before..before + 2)?,
        [call, end] if call.flow_control() == FlowControl::Call && is_end(end)
    );
    (exits && before <= MAX_BEFORE_CALL && ends_control(&bytes[..at])).then_some(Beginning::Exit)
}

fn is_register(instruction: &Instruction) -> bool {
    instruction.op0_kind() == OpKind::Register
}

/// Whether an instruction makes an argument.
fn makes_argument(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Xor | Mnemonic::Mov)
        && is_register(instruction)
        && !matches!(instruction.op0_register().full_register(), Register::RSP | Register::RBP)
}

fn is_end(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Hlt | Mnemonic::Ud2)
}

/// Whether what is before a place cannot have called: a return, or a jump to where a register leads. Else a return address
/// there may be that of a call that does not return.
fn ends_control(before: &[u8]) -> bool {
    matches!(before, [.., 0xc3] | [.., 0xff, 0xe0..=0xe7])
}
