//! How one frame leads to its caller: the rules a row can name, and their form in the kernel's tables.
//!
//! A rule is data only; how it is derived from call frame information is in [`crate::arch`].

use infrared_abi::{
    IR_MAX_RULES, IR_RULE_DEREF, IR_RULE_FRAME_POINTER, IR_RULE_GUESS, IR_RULE_NONE,
    IR_RULE_OF_RUNTIME, IR_RULE_OFFSET, IR_RULE_PLT, IR_RULE_ROOT, IR_RULE_RUNTIME_SHIFT,
    IR_RULE_SIGNAL, IR_RULE_UNSUPPORTED, IR_SLOT_CFA_MAX, IR_SLOT_CFA_MIN, IR_SLOT_RBP_FIRST,
    IR_SLOT_RBP_LAST, IR_SLOT_RBP_ZERO, IR_SLOT_REGISTER, IR_SLOT_SAME, IR_SLOT_UNDEFINED,
    RuntimeId, ir_rule,
};

/// The most distinct rules one table can name: what the kernel's table of rules holds.
pub const MAX_RULES: usize = IR_MAX_RULES as usize;

/// How the canonical frame address (CFA) of a frame is found. The meaning of each kind is in `unwind_table.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// No unwind information covers the address.
    None,
    /// The frame is its thread's entry.
    Root,
    /// `CFA = reg + cfa_offset`
    Offset,
    /// `CFA = *(reg + cfa_offset) + cfa_offset2`
    Deref,
    /// `CFA = rsp + cfa_offset + ((rip & 15) >= cfa_offset2 ? 8 : 0)`
    Plt,
    /// All registers of the interrupted code are in the ucontext at `rsp + cfa_offset`.
    Signal,
    /// `(cfa, fp, ra) = (fp + 16, *(cfa - 16), *(cfa - 8))`
    FramePointer,
    /// An expression that no other kind expresses.
    Unsupported,
    /// No unwind information, in an image that keeps frame pointers: a guess, and shown as one.
    Guess,
}

impl RuleKind {
    /// The value of `enum ir_rule_kind`.
    pub fn to_abi(self) -> u8 {
        let kind = match self {
            Self::None => IR_RULE_NONE,
            Self::Root => IR_RULE_ROOT,
            Self::Offset => IR_RULE_OFFSET,
            Self::Deref => IR_RULE_DEREF,
            Self::Plt => IR_RULE_PLT,
            Self::Signal => IR_RULE_SIGNAL,
            Self::FramePointer => IR_RULE_FRAME_POINTER,
            Self::Unsupported => IR_RULE_UNSUPPORTED,
            Self::Guess => IR_RULE_GUESS,
        };
        kind as u8
    }
}

/// Where a register's value in the caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// `*(CFA + 8 * n)`, n in -4096..=4095
    Cfa(i16),
    /// `*(fp + 8 * n)`, n in -2048..=2047
    Fp(i16),
    /// The value of a DWARF register, 0..=31.
    Register(u8),
    /// Unchanged.
    Same,
    /// Lost.
    Undefined,
}

impl Slot {
    /// `*(CFA + offset)`, if `offset` (bytes) is a multiple of 8 within ±32 KiB.
    pub fn at_cfa(offset: i64) -> Option<Self> {
        let slot = i32::try_from(exact_words(offset)?).ok()?;
        (IR_SLOT_CFA_MIN..=IR_SLOT_CFA_MAX).contains(&slot).then_some(Self::Cfa(slot as i16))
    }

    /// `*(fp + offset)`, if `offset` (bytes) is a multiple of 8 within ±16 KiB.
    pub fn at_fp(offset: i64) -> Option<Self> {
        let slot = i32::try_from(exact_words(offset)?).ok()?.checked_add(IR_SLOT_RBP_ZERO)?;
        (IR_SLOT_RBP_FIRST..=IR_SLOT_RBP_LAST)
            .contains(&slot)
            .then_some(Self::Fp((slot - IR_SLOT_RBP_ZERO) as i16))
    }

    /// The value of a DWARF register, if the kernel side can name it.
    pub fn in_register(register: u16) -> Option<Self> {
        (register < 32).then_some(Self::Register(register as u8))
    }

    /// The 16-bit number that `unwind_table.h` defines.
    pub fn to_abi(self) -> i16 {
        match self {
            Self::Cfa(slot) => slot,
            Self::Fp(slot) => IR_SLOT_RBP_ZERO as i16 + slot,
            Self::Register(register) => IR_SLOT_REGISTER as i16 | i16::from(register),
            Self::Undefined => IR_SLOT_UNDEFINED as i16,
            Self::Same => IR_SLOT_SAME as i16,
        }
    }
}

fn exact_words(offset: i64) -> Option<i64> {
    (offset % 8 == 0).then_some(offset / 8)
}

/// Everything that is needed to step from a frame to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Whose code it is, if a runtime's that makes the step itself or leaves it to the rest of the rule.
    pub runtime: Option<RuntimeId>,
    /// How the CFA is found. [`RuleKind::None`] where the runtime decides alone.
    pub kind: RuleKind,
    /// The DWARF number of the CFA's base register.
    pub cfa_reg: u8,
    /// The caller's frame pointer.
    pub fp: Slot,
    /// The caller's rbx (`x86_64` only).
    pub rbx: Slot,
    /// The return address.
    pub ra: Slot,
    /// Bytes; what it is added to depends on `kind`.
    pub cfa_offset: i32,
    /// Bytes; what it is added to depends on `kind`.
    pub cfa_offset2: i32,
}

impl Rule {
    /// A rule that its kind alone describes. All other fields have one fixed value, so that equal rules compare equal.
    pub const fn of_kind(kind: RuleKind) -> Self {
        Self {
            runtime: None,
            kind,
            cfa_reg: 0,
            fp: Slot::Same,
            rbx: Slot::Same,
            ra: Slot::Same,
            cfa_offset: 0,
            cfa_offset2: 0,
        }
    }

    /// No unwind information.
    pub const NONE: Self = Self::of_kind(RuleKind::None);
    /// The thread's entry.
    pub const ROOT: Self = Self::of_kind(RuleKind::Root);
    /// A rule that cannot be expressed.
    pub const UNSUPPORTED: Self = Self::of_kind(RuleKind::Unsupported);

    /// The frame pointer, as a guess.
    pub const GUESS: Self = Self::of_kind(RuleKind::Guess);

    /// A signal trampoline whose ucontext is at `sp + ucontext_offset` (bytes).
    pub const fn signal(ucontext_offset: i32) -> Self {
        Self { cfa_offset: ucontext_offset, ..Self::of_kind(RuleKind::Signal) }
    }

    /// What the runtime alone can do: one of its operations (`enum ir_NAME_operation`).
    pub const fn of_runtime(runtime: RuntimeId, operation: u32) -> Self {
        let cfa_offset = operation as i32;
        Self { runtime: Some(runtime), cfa_offset, ..Self::of_kind(RuleKind::None) }
    }

    /// The layout shared with the kernel.
    pub fn to_abi(self) -> ir_rule {
        let (mark, cfa_reg) = match self.runtime {
            None => (0, self.cfa_reg),
            Some(runtime) => {
                let number = (runtime as u8) << IR_RULE_RUNTIME_SHIFT;
                (IR_RULE_OF_RUNTIME as u8, number | (self.cfa_reg & 0xf))
            }
        };
        ir_rule {
            kind: self.kind.to_abi() | mark,
            cfa_reg,
            fp_slot: self.fp.to_abi(),
            rbx_slot: self.rbx.to_abi(),
            ra_slot: self.ra.to_abi(),
            cfa_offset: self.cfa_offset,
            cfa_offset2: self.cfa_offset2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_s_rule_has_its_number_beside_the_native_rule() {
        let native = Rule { cfa_reg: 7, cfa_offset: 16, ..Rule::of_kind(RuleKind::Offset) };
        let own = Rule { runtime: Some(RuntimeId::Go), ..native }.to_abi();
        let (kind, number) = (IR_RULE_OFFSET as u8 | 0x80, (RuntimeId::Go as u8) << 4);
        assert_eq!(own, ir_rule { kind, cfa_reg: number | 7, ..native.to_abi() });
        let alone = Rule::of_runtime(RuntimeId::Go, 2).to_abi();
        assert_eq!((alone.kind, alone.cfa_reg, alone.cfa_offset), (0x80, number, 2));
    }

    #[test]
    fn slots_have_the_numbers_of_the_header() {
        let cases = [
            (Slot::at_cfa(-16), Some(-2)),
            (Slot::at_cfa(-32768), Some(-4096)),
            (Slot::at_cfa(32760), Some(4095)),
            (Slot::at_cfa(-32776), None),
            (Slot::at_cfa(32768), None),
            (Slot::at_cfa(-4), None),
            (Slot::at_cfa(i64::MIN), None),
            (Slot::at_fp(0), Some(0x2800)),
            (Slot::at_fp(-16384), Some(0x2000)),
            (Slot::at_fp(16376), Some(0x2fff)),
            (Slot::at_fp(16384), None),
            (Slot::in_register(5), Some(0x4005)),
            (Slot::in_register(32), None),
            (Some(Slot::Undefined), Some(0x7ffe)),
            (Some(Slot::Same), Some(0x7fff)),
        ];
        for (slot, number) in cases {
            assert_eq!(slot.map(Slot::to_abi), number, "{slot:?}");
        }
    }
}
