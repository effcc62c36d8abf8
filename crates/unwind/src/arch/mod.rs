//! What differs between processors: register numbers, and which rule a frame's state becomes.

mod aarch64;
mod x86_64;

use gimli::UnwindSection;
use object::elf;

use crate::cfi::{Address, Bytes, Cfa, Expressions, FrameState, Location, as_address};
use crate::rule::{Rule, RuleKind, Slot};

/// DWARF numbers of the registers that are followed.
#[derive(Debug)]
pub(crate) struct Registers {
    pub(crate) sp: u16,
    pub(crate) fp: u16,
    pub(crate) rbx: Option<u16>,
    /// The column of the return address.
    pub(crate) ra: u16,
    /// CFA bases and homes of a return address are below this number.
    pub(crate) general: u16,
}

/// A processor this crate knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    X86_64,
    Aarch64,
}

impl Machine {
    pub(crate) fn from_elf(e_machine: u16) -> Option<Self> {
        match e_machine {
            elf::EM_X86_64 => Some(Self::X86_64),
            elf::EM_AARCH64 => Some(Self::Aarch64),
            _ => None,
        }
    }

    pub(crate) fn registers(self) -> &'static Registers {
        match self {
            Self::X86_64 => &x86_64::REGISTERS,
            Self::Aarch64 => &aarch64::REGISTERS,
        }
    }

    /// The rule for `state`.
    pub(crate) fn translate<'d, S: UnwindSection<Bytes<'d>>>(
        self,
        state: &FrameState,
        expressions: &Expressions<'_, S>,
        is_signal: bool,
    ) -> Translation {
        match self {
            Self::X86_64 => x86_64::translate(state, expressions, is_signal),
            Self::Aarch64 => aarch64::translate(state, expressions, is_signal),
        }
    }
}

/// A rule, and whether a register's recoverable value had to be given up for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Translation {
    pub(crate) rule: Rule,
    pub(crate) lost_register: bool,
}

impl From<Rule> for Translation {
    fn from(rule: Rule) -> Self {
        Self { rule, lost_register: false }
    }
}

/// The CFA as (kind, base register, offset, second offset).
type CfaParts = (RuleKind, u8, i32, i32);

fn cfa_parts<'d, S: UnwindSection<Bytes<'d>>>(
    registers: &Registers,
    cfa: Cfa,
    expressions: &Expressions<'_, S>,
) -> Option<CfaParts> {
    let (kind, register, offset, then) = match cfa {
        Cfa::RegisterOffset(register, offset) => (RuleKind::Offset, register, offset, 0),
        Cfa::Expression(expression) => {
            match as_address(expressions.get(&expression)?, expressions.encoding)? {
                Address::Direct(base) => (RuleKind::Offset, base.register, base.offset, 0),
                Address::Deref(base, then) => (RuleKind::Deref, base.register, base.offset, then),
            }
        }
    };
    let in_range = register < registers.general;
    in_range.then_some((
        kind,
        register as u8,
        i32::try_from(offset).ok()?,
        i32::try_from(then).ok()?,
    ))
}

/// Where a saved register is, in terms of the CFA `(kind, base, offset, _)` or of the frame pointer.
fn slot_of<'d, S: UnwindSection<Bytes<'d>>>(
    registers: &Registers,
    location: Location,
    cfa: CfaParts,
    expressions: &Expressions<'_, S>,
) -> Option<Slot> {
    match location {
        Location::Default | Location::Same => Some(Slot::Same),
        Location::Undefined => Some(Slot::Undefined),
        Location::Offset(offset) => Slot::at_cfa(offset),
        Location::Register(register) if register < registers.general => Slot::in_register(register),
        Location::Expression(expression) => {
            let address = as_address(expressions.get(&expression)?, expressions.encoding)?;
            let Address::Direct(at) = address else { return None };
            let (kind, base, offset, _) = cfa;
            if kind == RuleKind::Offset && at.register == u16::from(base) {
                Slot::at_cfa(at.offset.checked_sub(i64::from(offset))?)
            } else if at.register == registers.fp {
                Slot::at_fp(at.offset)
            } else {
                None
            }
        }
        Location::Register(_) | Location::ValOffset(_) | Location::ValExpression(_) => None,
    }
}
