//! The targets of a switch's jump, from its table.
//!
//! ```text
//! cmp idx, n; ja default; lea base, [rip + table]; movsxd r, [base + 4 * idx]; add r, base; jmp r
//! cmp idx, n; ja default; jmp [table + 8 * idx]
//! ```

use std::cell::Cell;

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

/// Larger switches are not looked up.
const MAX_CASES: u64 = 4096;

/// Reads bytes of the image at an address.
pub(super) type Read<'r, 'd> = dyn Fn(u64, u64) -> Option<&'d [u8]> + 'r;

/// What was seen on the way to a jump.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Switch {
    last_case: Option<u64>,
    table: Option<u64>,
}

impl Switch {
    /// Notes an instruction that is not a jump.
    pub(super) fn note(&mut self, instruction: &Instruction) {
        match instruction.mnemonic() {
            Mnemonic::Cmp => {
                self.last_case = instruction.try_immediate(1).ok();
            }
            Mnemonic::Lea if instruction.is_ip_rel_memory_operand() => {
                self.table = Some(instruction.ip_rel_memory_address());
            }
            _ => {}
        }
    }

    /// Where `jump` may lead; `None` if it does not look like a switch's.
    pub(super) fn targets(
        &self,
        jump: &Instruction,
        read: &Read<'_, '_>,
        budget: &Cell<u64>,
    ) -> Option<Vec<u64>> {
        let cases = self.last_case?.checked_add(1).filter(|cases| *cases <= MAX_CASES)?;
        budget.set(budget.get().checked_sub(cases)?);
        match jump.op_kind(0) {
            OpKind::Register => {
                let table = self.table?;
                let entries = read(table, cases * 4)?.chunks_exact(4);
                let target = |entry: &[u8]| {
                    let distance = i32::from_le_bytes(entry.try_into().ok()?);
                    table.checked_add_signed(i64::from(distance))
                };
                entries.map(target).collect()
            }
            OpKind::Memory if is_indexed(jump) => {
                let entries = read(jump.memory_displacement64(), cases * 8)?.chunks_exact(8);
                entries.map(|entry| Some(u64::from_le_bytes(entry.try_into().ok()?))).collect()
            }
            _ => None,
        }
    }
}

fn is_indexed(jump: &Instruction) -> bool {
    jump.memory_base() == Register::None
        && jump.memory_index() != Register::None
        && jump.memory_index_scale() == 8
}
