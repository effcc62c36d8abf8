//! The true stack of a program that is followed instruction by instruction: what calls pushed and returns took.
//!
//! It knows nothing of unwind information, so it can judge those who do.

use std::collections::HashMap;

use infrared_abi::{IR_FRAME_RETURN_ADDRESS, ir_registers};

use crate::tracee::Tracee;

#[derive(Clone, Copy, Debug)]
enum Entry {
    /// A return address, and where on the stack it is.
    Return { slot: u64, address: u64 },
    /// A signal interrupted this place.
    Interrupted { pc: u64, sp: u64 },
}

/// What the followed instruction was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    Call,
    SystemCall,
    /// `MARK()` of `programs/mark.h`.
    Mark,
    Other,
}

/// DWARF numbers of registers.
pub(crate) const RAX: usize = 0;
pub(crate) const RSP: usize = 7;

#[derive(Debug, Default)]
pub(crate) struct ShadowStack {
    entries: Vec<Entry>,
    instructions: HashMap<u64, Instruction>,
}

impl ShadowStack {
    /// Follows one instruction, and says what it was.
    pub(crate) fn follow(
        &mut self,
        tracee: &Tracee,
        before: &ir_registers,
        after: &ir_registers,
    ) -> Instruction {
        let instruction = *self
            .instructions
            .entry(before.pc)
            .or_insert_with(|| decode(&tracee.read(before.pc, 15)));
        if instruction == Instruction::SystemCall && before.general[RAX] == SYS_RT_SIGRETURN {
            while let Some(entry) = self.entries.pop() {
                if matches!(entry, Entry::Interrupted { .. }) {
                    break;
                }
            }
        }
        let sp = after.general[RSP];
        if instruction == Instruction::Call && sp == before.general[RSP] - 8 {
            let address = tracee.word(sp).unwrap();
            assert!(address.wrapping_sub(before.pc) < 16, "a call pushes the address after it");
            self.entries.push(Entry::Return { slot: sp, address });
        }
        while let Some(Entry::Return { slot, .. }) = self.entries.last()
            && *slot < sp
        {
            self.entries.pop();
        }
        instruction
    }

    /// Notes that a signal's handler was entered.
    pub(crate) fn interrupt(
        &mut self,
        tracee: &Tracee,
        before: &ir_registers,
        after: &ir_registers,
    ) {
        let sp = after.general[RSP];
        self.entries.push(Entry::Interrupted { pc: before.pc, sp: before.general[RSP] });
        self.entries.push(Entry::Return { slot: sp, address: tracee.word(sp).unwrap() });
    }

    /// (address, flags) of every frame, leaf first.
    pub(crate) fn frames(&self, pc: u64) -> Vec<(u64, u32)> {
        let callers = self.entries.iter().rev().map(|entry| match *entry {
            Entry::Return { address, .. } => (address, IR_FRAME_RETURN_ADDRESS),
            Entry::Interrupted { pc, .. } => (pc, 0),
        });
        std::iter::once((pc, 0)).chain(callers).collect()
    }

    /// The stack pointers at which signals interrupted.
    pub(crate) fn interrupted_stacks(&self) -> impl Iterator<Item = u64> + '_ {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Interrupted { sp, .. } => Some(*sp),
            Entry::Return { .. } => None,
        })
    }
}

const SYS_RT_SIGRETURN: u64 = libc::SYS_rt_sigreturn as u64;

/// Near calls are `e8` and `ff /2` (Intel SDM, volume 2, CALL), after prefixes.
fn decode(bytes: &[u8]) -> Instruction {
    let is_prefix =
        |byte: &&u8| matches!(byte, 0x64..=0x67 | 0xf2 | 0xf3 | 0x2e | 0x3e | 0x40..=0x4f);
    let prefixes = bytes.iter().take_while(is_prefix).count();
    match bytes.get(prefixes..) {
        Some([0xe8, ..]) => Instruction::Call,
        Some([0xff, modrm, ..]) if (modrm >> 3) & 7 == 2 => Instruction::Call,
        Some([0x0f, 0x05, ..]) => Instruction::SystemCall,
        Some([0x0f, 0x1f, 0x84, 0x00, 0x4b, 0x52, 0x41, 0x4d, ..]) => Instruction::Mark,
        _ => Instruction::Other,
    }
}
