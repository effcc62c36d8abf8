//! `aarch64`: AAPCS64 register numbers, and the forms of unwind information seen there.
//!
//! Nothing but call frame information is known of it: no signal trampolines, no procedure linkage tables.

use gimli::UnwindSection;

use super::{Registers, Translation, cfa_parts, slot_of};
use crate::cfi::{Bytes, Expressions, FrameState, Location};
use crate::rule::{Rule, Slot};

/// DWARF for the Arm 64-bit architecture, section 4.1. The return address is in x30 (lr).
pub(super) const REGISTERS: Registers =
    Registers { sp: 31, fp: 29, rbx: None, ra: 30, general: 32 };

/// The rule for `state`. A return address that was not saved is in x30.
pub(super) fn translate<'d, S: UnwindSection<Bytes<'d>>>(
    state: &FrameState,
    expressions: &Expressions<'_, S>,
    is_signal: bool,
) -> Translation {
    if state.ra == Location::Undefined {
        return Rule::ROOT.into();
    }
    if is_signal || !matches!(state.sp, Location::Default | Location::ValOffset(0)) {
        return Rule::UNSUPPORTED.into();
    }
    let Some(cfa) = cfa_parts(&REGISTERS, state.cfa, expressions) else {
        return Rule::UNSUPPORTED.into();
    };
    let ra = match slot_of(&REGISTERS, state.ra, cfa, expressions) {
        None | Some(Slot::Undefined) => return Rule::UNSUPPORTED.into(),
        Some(Slot::Same) => Slot::Register(REGISTERS.ra as u8),
        Some(slot) => slot,
    };
    let fp = slot_of(&REGISTERS, state.fp, cfa, expressions);
    let (kind, cfa_reg, cfa_offset, cfa_offset2) = cfa;
    Translation {
        rule: Rule {
            cfa_reg,
            fp: fp.unwrap_or(Slot::Undefined),
            rbx: Slot::Same,
            ra,
            cfa_offset,
            cfa_offset2,
            ..Rule::of_kind(kind)
        },
        lost_register: fp.is_none(),
    }
}
