//! gimli's row → the rule it must become, from the bytes of its expressions.

use gimli::{
    CfaRule, EndianSlice, LittleEndian, Register, RegisterRule, UnwindSection, UnwindTableRow,
    X86_64,
};
use infrared_unwind::{Rule, RuleKind, Slot};

type Bytes<'d> = EndianSlice<'d, LittleEndian>;

const DEREF: u8 = 0x06;
const PLUS_UCONST: u8 = 0x23;
const BREG0: u8 = 0x70;

/// (base register, offset, what is added after a dereference)
fn address(mut bytes: &[u8]) -> Option<(u16, i64, Option<i64>)> {
    let (&first, rest) = bytes.split_first()?;
    if !(BREG0..BREG0 + 32).contains(&first) {
        return None;
    }
    bytes = rest;
    let mut offset = signed(&mut bytes)?;
    let mut then = None;
    while let Some((&operation, rest)) = bytes.split_first() {
        bytes = rest;
        match (operation, then) {
            (DEREF, None) => then = Some(0),
            (PLUS_UCONST, None) => offset += unsigned(&mut bytes)?,
            (PLUS_UCONST, Some(sum)) => then = Some(sum + unsigned(&mut bytes)?),
            _ => return None,
        }
    }
    Some((u16::from(first - BREG0), offset, then))
}

fn unsigned(bytes: &mut &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0_i64, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= i64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
}

fn signed(bytes: &mut &[u8]) -> Option<i64> {
    let before = bytes.len();
    let value = unsigned(bytes)?;
    let bits = 7 * (before - bytes.len());
    let unused = 64_usize.saturating_sub(bits);
    Some((value << unused) >> unused)
}

pub(crate) fn rule<'d, S: UnwindSection<Bytes<'d>>>(
    row: &UnwindTableRow<usize>,
    section: &S,
    signal: bool,
) -> Rule {
    let bytes = |expression: &gimli::UnwindExpression<usize>| expression.get(section).unwrap().0;
    if signal {
        // glibc: rsp from *(rsp + 160), rip at rsp + 168, which are those fields of a ucontext at rsp.
        let CfaRule::Expression(cfa) = row.cfa() else { return Rule::UNSUPPORTED };
        let Some(RegisterRule::Expression(ra)) = row.register(X86_64::RA) else {
            return Rule::UNSUPPORTED;
        };
        return match (address(bytes(cfa).slice()), address(bytes(&ra).slice())) {
            (Some((7, 160, Some(0))), Some((7, 168, None))) => Rule::signal(0),
            _ => Rule::UNSUPPORTED,
        };
    }
    if row.register(X86_64::RA) == Some(RegisterRule::Undefined) {
        return Rule::ROOT;
    }
    let (kind, reg, offset, offset2) = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            (RuleKind::Offset, register.0, *offset, 0)
        }
        CfaRule::Expression(expression) => match bytes(expression).slice() {
            // breg7 8; breg16 0; lit15; and; lit10 or lit11; ge; lit3; shl; plus
            [0x77, 8, 0x80, 0, 0x3f, 0x1a, literal @ (0x3a | 0x3b), 0x2a, 0x33, 0x24, 0x22] => {
                (RuleKind::Plt, 0, 8, i64::from(*literal) - 0x30)
            }
            other => match address(other) {
                Some((reg, offset, None)) => (RuleKind::Offset, reg, offset, 0),
                Some((reg, offset, Some(then))) => (RuleKind::Deref, reg, offset, then),
                None => return Rule::UNSUPPORTED,
            },
        },
    };
    let slot = |register: Register| match row.register(register) {
        None | Some(RegisterRule::SameValue) => Slot::Same,
        Some(RegisterRule::Offset(n)) => Slot::at_cfa(n).unwrap_or(Slot::Undefined),
        Some(RegisterRule::Register(r)) => Slot::in_register(r.0).unwrap_or(Slot::Undefined),
        Some(RegisterRule::Expression(expression)) => match address(bytes(&expression).slice()) {
            Some((base, n, None)) if kind == RuleKind::Offset && base == reg => {
                Slot::at_cfa(n - offset).unwrap_or(Slot::Undefined)
            }
            Some((6, n, None)) => Slot::at_fp(n).unwrap_or(Slot::Undefined),
            _ => Slot::Undefined,
        },
        _ => Slot::Undefined,
    };
    let ra = slot(X86_64::RA);
    let sp_is_cfa = matches!(row.register(X86_64::RSP), None | Some(RegisterRule::ValOffset(0)));
    if matches!(ra, Slot::Undefined | Slot::Same) || reg > 15 || !sp_is_cfa {
        return Rule::UNSUPPORTED;
    }
    Rule {
        cfa_reg: reg as u8,
        fp: slot(X86_64::RBP),
        rbx: slot(X86_64::RBX),
        ra,
        cfa_offset: i32::try_from(offset).unwrap(),
        cfa_offset2: i32::try_from(offset2).unwrap(),
        ..Rule::of_kind(kind)
    }
}
