//! The state of a frame at each address of a frame description (DWARF 5, section 6.4.2).

use gimli::{CallFrameInstruction, CallFrameInstructionIter, UnwindExpression};

use super::Bytes;
use crate::arch::Registers;

/// States that `DW_CFA_remember_state` may stack. Compilers nest one or two.
const MAX_REMEMBERED: usize = 64;

/// Where the caller's value of a register is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    /// The frame description says nothing: what the ABI says.
    Default,
    Undefined,
    Same,
    /// `*(CFA + n)`
    Offset(i64),
    /// `CFA + n`
    ValOffset(i64),
    Register(u16),
    /// `*expression`
    Expression(UnwindExpression<usize>),
    /// `expression`
    ValExpression(UnwindExpression<usize>),
}

/// How the CFA is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cfa {
    RegisterOffset(u16, i64),
    Expression(UnwindExpression<usize>),
}

/// What call frame information says at one address, of the registers that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameState {
    pub(crate) cfa: Cfa,
    pub(crate) fp: Location,
    pub(crate) rbx: Location,
    pub(crate) ra: Location,
    pub(crate) sp: Location,
}

impl FrameState {
    pub(crate) const START: Self = Self {
        cfa: Cfa::RegisterOffset(0, 0),
        fp: Location::Default,
        rbx: Location::Default,
        ra: Location::Default,
        sp: Location::Default,
    };

    fn register_mut(&mut self, registers: &Registers, register: u16) -> Option<&mut Location> {
        // rbx is looked up last: where an architecture has no such register it repeats another's number.
        if register == registers.ra {
            Some(&mut self.ra)
        } else if register == registers.fp {
            Some(&mut self.fp)
        } else if register == registers.sp {
            Some(&mut self.sp)
        } else if Some(register) == registers.rbx {
            Some(&mut self.rbx)
        } else {
            None
        }
    }
}

/// The instructions are not valid from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Runs call frame instructions.
#[derive(Debug)]
pub(crate) struct Evaluation<'r> {
    pub(crate) registers: &'r Registers,
    pub(crate) code_alignment: u64,
    pub(crate) data_alignment: i64,
    pub(crate) initial: FrameState,
    pub(crate) state: FrameState,
    pub(crate) svma: u64,
    pub(crate) remembered: Vec<FrameState>,
}

impl Evaluation<'_> {
    /// Runs up to the next address and returns the address at which `self.state` (as it is then) begins;
    /// `None` at the end, when `self.state` holds from `self.svma` on.
    pub(crate) fn run_to_next_address(
        &mut self,
        instructions: &mut CallFrameInstructionIter<'_, Bytes<'_>>,
    ) -> Result<Option<u64>, Malformed> {
        while let Some(instruction) = instructions.next().map_err(|_| Malformed)? {
            match instruction {
                CallFrameInstruction::AdvanceLoc { delta: 0 } => {}
                CallFrameInstruction::AdvanceLoc { delta } => {
                    let delta = u64::from(delta).wrapping_mul(self.code_alignment);
                    return Ok(Some(self.svma.checked_add(delta).ok_or(Malformed)?));
                }
                CallFrameInstruction::SetLoc { address } if address >= self.svma => {
                    return Ok(Some(address));
                }
                CallFrameInstruction::SetLoc { .. } => return Err(Malformed),
                other => self.apply(&other)?,
            }
        }
        Ok(None)
    }

    fn apply(&mut self, instruction: &CallFrameInstruction<usize>) -> Result<(), Malformed> {
        use CallFrameInstruction as I;
        match *instruction {
            I::DefCfa { .. }
            | I::DefCfaSf { .. }
            | I::DefCfaRegister { .. }
            | I::DefCfaOffset { .. }
            | I::DefCfaOffsetSf { .. }
            | I::DefCfaExpression { .. } => self.define_cfa(instruction)?,
            I::RememberState => {
                if self.remembered.len() >= MAX_REMEMBERED {
                    return Err(Malformed);
                }
                self.remembered.push(self.state);
            }
            I::RestoreState => self.state = self.remembered.pop().ok_or(Malformed)?,
            I::Undefined { register } => self.set(register, Location::Undefined),
            I::SameValue { register } => self.set(register, Location::Same),
            I::Offset { register, factored_offset } => {
                self.set(register, Location::Offset(self.factored(factored_offset as i64)));
            }
            I::OffsetExtendedSf { register, factored_offset } => {
                self.set(register, Location::Offset(self.factored(factored_offset)));
            }
            I::ValOffset { register, factored_offset } => {
                self.set(register, Location::ValOffset(self.factored(factored_offset as i64)));
            }
            I::ValOffsetSf { register, factored_offset } => {
                self.set(register, Location::ValOffset(self.factored(factored_offset)));
            }
            I::Register { dest_register, src_register } => {
                self.set(dest_register, Location::Register(src_register.0));
            }
            I::Expression { register, expression } => {
                self.set(register, Location::Expression(expression));
            }
            I::ValExpression { register, expression } => {
                self.set(register, Location::ValExpression(expression));
            }
            I::Restore { register } => {
                let initial =
                    self.initial.register_mut(self.registers, register.0).map(|slot| *slot);
                if let Some(initial) = initial {
                    self.set(register, initial);
                }
            }
            // Pointer authentication is undone by masking; argument sizes matter to exception landing alone.
            I::ArgsSize { .. } | I::NegateRaState | I::Nop => {}
            I::AdvanceLoc { .. } | I::SetLoc { .. } => return Err(Malformed),
        }
        Ok(())
    }

    fn define_cfa(&mut self, instruction: &CallFrameInstruction<usize>) -> Result<(), Malformed> {
        use CallFrameInstruction as I;
        let cfa = match (instruction, self.state.cfa) {
            (&I::DefCfa { register, offset }, _) => Cfa::RegisterOffset(register.0, offset as i64),
            (&I::DefCfaSf { register, factored_offset }, _) => {
                Cfa::RegisterOffset(register.0, self.factored(factored_offset))
            }
            (&I::DefCfaRegister { register }, Cfa::RegisterOffset(_, offset)) => {
                Cfa::RegisterOffset(register.0, offset)
            }
            (&I::DefCfaOffset { offset }, Cfa::RegisterOffset(register, _)) => {
                Cfa::RegisterOffset(register, offset as i64)
            }
            (&I::DefCfaOffsetSf { factored_offset }, Cfa::RegisterOffset(register, _)) => {
                Cfa::RegisterOffset(register, self.factored(factored_offset))
            }
            (&I::DefCfaExpression { expression }, _) => Cfa::Expression(expression),
            _ => return Err(Malformed),
        };
        self.state.cfa = cfa;
        Ok(())
    }

    fn factored(&self, offset: i64) -> i64 {
        offset.wrapping_mul(self.data_alignment)
    }

    fn set(&mut self, register: gimli::Register, location: Location) {
        if let Some(slot) = self.state.register_mut(self.registers, register.0) {
            *slot = location;
        }
    }
}
