//! `x86_64`: System V ABI register numbers, and the forms of unwind information seen there.

use gimli::UnwindSection;

use super::{Registers, Translation, cfa_parts, slot_of};
use crate::cfi::{Address, Bytes, Cfa, Expressions, FrameState, Location, as_address, as_plt};
use crate::rule::{Rule, RuleKind, Slot};

/// System V ABI, AMD64 supplement, figure 3.36.
pub(super) const REGISTERS: Registers =
    Registers { sp: 7, fp: 6, rbx: Some(3), ra: 16, general: 16 };

/// `offsetof(struct ucontext, uc_mcontext.gregs[REG_RSP])`: flags 8, link 8, stack 24, then r8..r15, rdi, rsi, rbp,
/// rbx, rdx, rax, rcx, rsp, rip of 8 bytes each (Linux, `asm/sigcontext.h`).
const UCONTEXT_RSP: i64 = 160;
/// `offsetof(struct ucontext, uc_mcontext.gregs[REG_RIP])`
const UCONTEXT_RIP: i64 = 168;

/// The rule for `state`.
///
/// The stack pointer of the caller is the CFA; where unwind information says otherwise and it is no signal frame, no
/// rule can express it.
pub(super) fn translate<'d, S: UnwindSection<Bytes<'d>>>(
    state: &FrameState,
    expressions: &Expressions<'_, S>,
    is_signal: bool,
) -> Translation {
    if is_signal {
        return signal_rule(state, expressions).unwrap_or(Rule::UNSUPPORTED).into();
    }
    if matches!(state.ra, Location::Default | Location::Undefined) {
        return Rule::ROOT.into();
    }
    if !matches!(state.sp, Location::Default | Location::ValOffset(0)) {
        return Rule::UNSUPPORTED.into();
    }
    let cfa =
        plt_parts(state.cfa, expressions).or_else(|| cfa_parts(&REGISTERS, state.cfa, expressions));
    let Some(cfa) = cfa else { return Rule::UNSUPPORTED.into() };
    let ra = match slot_of(&REGISTERS, state.ra, cfa, expressions) {
        None | Some(Slot::Same | Slot::Undefined) => return Rule::UNSUPPORTED.into(),
        Some(slot) => slot,
    };
    let fp = slot_of(&REGISTERS, state.fp, cfa, expressions);
    let rbx = slot_of(&REGISTERS, state.rbx, cfa, expressions);
    let (kind, cfa_reg, cfa_offset, cfa_offset2) = cfa;
    Translation {
        rule: Rule {
            cfa_reg,
            fp: fp.unwrap_or(Slot::Undefined),
            rbx: rbx.unwrap_or(Slot::Undefined),
            ra,
            cfa_offset,
            cfa_offset2,
            ..Rule::of_kind(kind)
        },
        lost_register: fp.is_none() || rbx.is_none(),
    }
}

/// A lazy-binding entry. Its base register is fixed, so the field for it stays 0.
fn plt_parts<'d, S: UnwindSection<Bytes<'d>>>(
    cfa: Cfa,
    expressions: &Expressions<'_, S>,
) -> Option<super::CfaParts> {
    let Cfa::Expression(expression) = cfa else { return None };
    let expression = expressions.get(&expression)?;
    let (base, threshold) = as_plt(expression, expressions.encoding, REGISTERS.sp, REGISTERS.ra)?;
    Some((RuleKind::Plt, 0, i32::try_from(base).ok()?, i32::try_from(threshold).ok()?))
}

/// `(rsp, rip) = (*(rsp + n + 160), *(rsp + n + 168))` → the ucontext is at `rsp + n`.
///
/// In glibc's `__restore_rt` n is 0: the handler's `ret` has popped the return address that the kernel put below the
/// ucontext.
fn signal_rule<'d, S: UnwindSection<Bytes<'d>>>(
    state: &FrameState,
    expressions: &Expressions<'_, S>,
) -> Option<Rule> {
    let address = |expression| as_address(expressions.get(&expression)?, expressions.encoding);
    let Cfa::Expression(cfa) = state.cfa else { return None };
    let Location::Expression(ra) = state.ra else { return None };
    let Address::Deref(rsp, 0) = address(cfa)? else { return None };
    let Address::Direct(rip) = address(ra)? else { return None };
    if rsp.register != REGISTERS.sp || rip.register != REGISTERS.sp {
        return None;
    }
    let ucontext = rsp.offset.checked_sub(UCONTEXT_RSP)?;
    if rip.offset.checked_sub(UCONTEXT_RIP)? != ucontext {
        return None;
    }
    Some(Rule::signal(i32::try_from(ucontext).ok()?))
}
