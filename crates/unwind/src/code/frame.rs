//! A frame while its function's instructions are followed, and what one instruction does to it.

use iced_x86::{
    Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register, UsedRegister,
};

use crate::rule::{Rule, RuleKind, Slot};

const RSP: u8 = 7;
const RBP: u8 = 6;

/// A callee-saved register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Saved {
    /// It has the caller's value.
    No,
    /// The caller's value is at `CFA + n`.
    At(i32),
    /// It was overwritten, and the caller's value is not known to be anywhere.
    Lost,
}

/// A register that code keeps sp in while it aligns the stack: `register = CFA - at`. It is known as long as no instruction
/// has copied it: code with no other way back has the register wherever it may go on, after its calls and in its loops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Held {
    register: Register,
    at: i32,
}

/// What is known at one instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Frame {
    /// `rsp = CFA - n`
    sp: Option<i32>,
    /// `rbp = CFA - n`
    fp: Option<i32>,
    held: Option<Held>,
    saved_fp: Saved,
    saved_rbx: Saved,
    whole: Whole,
}

/// A rule that does not depend on registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whole {
    No,
    Root,
    /// As `Root`, where a stack's first function returns to.
    ReturnedTo,
    Signal,
}

impl Frame {
    /// A function's first instruction: the return address is on top of the stack.
    pub(super) const ENTRY: Self = Self {
        sp: Some(8),
        fp: None,
        held: None,
        saved_fp: Saved::No,
        saved_rbx: Saved::No,
        whole: Whole::No,
    };

    /// The first entry of a lazy procedure linkage table: the entries that jump to it have pushed an index.
    pub(super) const PLT_START: Self = Self { sp: Some(16), ..Self::ENTRY };

    /// The process's first instruction.
    pub(super) const ROOT: Self = Self { whole: Whole::Root, ..Self::ENTRY };

    /// The first instruction of code that a stack's first function returns to.
    pub(super) const RETURNED_TO: Self = Self { whole: Whole::ReturnedTo, ..Self::ENTRY };

    /// A signal trampoline's first instruction, with the ucontext on top of the stack.
    pub(super) const SIGNAL: Self = Self { whole: Whole::Signal, ..Self::ENTRY };

    /// A frame of which nothing is known but sp: `rsp = CFA - sp`.
    pub(super) const fn with_sp(sp: i32) -> Self {
        Self { sp: Some(sp), ..Self::ENTRY }
    }

    /// A frame that restores rbp from `CFA - fp_from` and rbx from `CFA - rbx_from`.
    pub(super) fn restoring(sp: i32, fp_from: Option<i32>, rbx_from: Option<i32>) -> Self {
        let mut frame = Self::with_sp(sp);
        frame.save(Register::RBP, fp_from);
        frame.save(Register::RBX, rbx_from);
        frame
    }

    /// `n` if `rsp = CFA - n` is known.
    pub(super) fn sp(&self) -> Option<i32> {
        self.sp.filter(|_| self.whole == Whole::No)
    }

    /// Whether it is entered by a return, without a call before it: a return address is looked up a byte before it.
    pub(super) fn is_returned_to(&self) -> bool {
        matches!(self.whole, Whole::Signal | Whole::ReturnedTo)
    }

    /// `None` where the frame was lost.
    pub(super) fn rule(&self) -> Option<Rule> {
        match self.whole {
            Whole::Root | Whole::ReturnedTo => return Some(Rule::ROOT),
            Whole::Signal => return Some(Rule::signal(0)),
            Whole::No => {}
        }
        let (cfa_reg, cfa_offset) = match (self.fp, self.sp) {
            // A frame pointer is still right where sp moves by amounts that the code does not show.
            (Some(offset), _) => (RBP, offset),
            // Below 0 the return address is no longer on the stack; at 0 it is still readable below it.
            (None, Some(offset)) if offset >= 0 => (RSP, offset),
            (None, None) => self.held.and_then(|held| Some((number(held.register)?, held.at)))?,
            _ => return None,
        };
        Some(Rule {
            cfa_reg,
            fp: slot(self.saved_fp),
            rbx: slot(self.saved_rbx),
            ra: Slot::Cfa(-1),
            cfa_offset,
            ..Rule::of_kind(RuleKind::Offset)
        })
    }

    /// The frame after `instruction`, if control reaches the next one.
    pub(super) fn after(
        mut self,
        instruction: &Instruction,
        factory: &mut InstructionInfoFactory,
    ) -> Self {
        if self.whole != Whole::No {
            return self;
        }
        if self.moves_stack(instruction) {
            return self;
        }
        for used in factory.info(instruction).used_registers() {
            if self.held.is_some_and(|held| ends_hold(held.register, instruction, *used)) {
                self.held = None;
            }
            if !writes(used.access()) {
                continue;
            }
            match used.register().full_register() {
                Register::RSP => self.sp = self.after_sp_write(instruction),
                Register::RBP => self.overwrite_fp(instruction),
                Register::RBX if self.saved_rbx == Saved::No => self.saved_rbx = Saved::Lost,
                _ => {}
            }
        }
        self.note_store(instruction);
        self
    }

    /// Pushes, pops and the other instructions with a meaning of their own; false if it is none of them.
    fn moves_stack(&mut self, instruction: &Instruction) -> bool {
        let register = match instruction.op_kind(0) {
            OpKind::Register => instruction.op0_register(),
            _ => Register::None,
        };
        match instruction.mnemonic() {
            Mnemonic::Push => {
                self.held = self.held.filter(|held| held.register != register);
                self.grow(8);
                self.save(register, self.sp);
            }
            Mnemonic::Pushfq => self.grow(8),
            Mnemonic::Pop | Mnemonic::Popfq => {
                self.load(register, self.sp);
                self.held = self.held.filter(|held| held.register != register);
                self.grow(-8);
                if register == Register::RSP {
                    self.sp = None;
                }
            }
            Mnemonic::Leave => {
                self.sp = self.fp;
                self.load(Register::RBP, self.sp);
                self.grow(-8);
            }
            // Position-independent code may call the next instruction for its address.
            Mnemonic::Call if instruction.near_branch_target() == instruction.next_ip() => {
                self.grow(8);
            }
            Mnemonic::Call => {}
            Mnemonic::Mov => return self.moves_register(instruction, register),
            Mnemonic::Xor if self.is_end_of_chain(instruction) => self.whole = Whole::Root,
            _ => return false,
        }
        true
    }

    fn moves_register(&mut self, instruction: &Instruction, register: Register) -> bool {
        let from_register = instruction.op_kind(1) == OpKind::Register;
        match (register, from_register.then(|| instruction.op1_register())) {
            (Register::RBP, Some(Register::RSP)) => {
                self.overwrite_fp(instruction);
                self.fp = self.sp;
            }
            (Register::RSP, Some(Register::RBP)) => self.sp = self.fp,
            (Register::RSP, Some(from)) => {
                self.sp = self.held.filter(|held| held.register == from).map(|held| held.at);
            }
            (to, Some(Register::RSP)) if to != Register::RBX && number(to).is_some() => {
                self.held = self.sp.map(|at| Held { register: to, at });
            }
            (Register::RBP | Register::RBX, None) if instruction.op_kind(1) == OpKind::Memory => {
                let address = self.address(instruction);
                self.load(register, address);
            }
            _ => return false,
        }
        true
    }

    /// `xor ebp, ebp` although the caller's value was not saved, nor anything else: the ABI's mark of the outermost frame (System V ABI,
    /// AMD64 supplement, section 3.4.1).
    fn is_end_of_chain(&self, instruction: &Instruction) -> bool {
        let is_rbp = |operand| {
            instruction.op_kind(operand) == OpKind::Register
                && instruction.op_register(operand).full_register() == Register::RBP
        };
        self.sp == Self::ENTRY.sp && self.saved_fp == Saved::No && is_rbp(0) && is_rbp(1)
    }

    fn after_sp_write(&self, instruction: &Instruction) -> Option<i32> {
        match instruction.mnemonic() {
            Mnemonic::Add => self.sp?.checked_sub(immediate(instruction)?),
            Mnemonic::Sub => self.sp?.checked_add(immediate(instruction)?),
            Mnemonic::Lea => self.address(instruction),
            _ => None,
        }
    }

    fn overwrite_fp(&mut self, instruction: &Instruction) {
        // A frame pointer set up by lea is one only if the caller's was saved.
        let from_lea = (instruction.mnemonic() == Mnemonic::Lea).then(|| self.address(instruction));
        self.fp = from_lea.flatten().filter(|_| matches!(self.saved_fp, Saved::At(_)));
        if self.saved_fp == Saved::No {
            self.saved_fp = Saved::Lost;
        }
    }

    /// `n` if the instruction's memory operand is at `CFA - n`.
    fn address(&self, instruction: &Instruction) -> Option<i32> {
        if instruction.memory_index() != Register::None {
            return None;
        }
        let base = match instruction.memory_base() {
            Register::RSP => self.sp?,
            Register::RBP => self.fp?,
            _ => return None,
        };
        let displacement = i32::try_from(instruction.memory_displacement64() as i64).ok()?;
        base.checked_sub(displacement)
    }

    /// `mov [CFA - n], rbp` and `mov [CFA - n], rbx`
    fn note_store(&mut self, instruction: &Instruction) {
        let is_store = instruction.mnemonic() == Mnemonic::Mov
            && instruction.op_kind(0) == OpKind::Memory
            && instruction.op_kind(1) == OpKind::Register;
        if is_store {
            self.save(instruction.op1_register(), self.address(instruction));
        }
    }

    fn grow(&mut self, bytes: i32) {
        self.sp = self.sp.and_then(|sp| sp.checked_add(bytes));
    }

    fn save(&mut self, register: Register, at: Option<i32>) {
        let Some(at) = at.and_then(i32::checked_neg) else { return };
        match register {
            Register::RBP if self.saved_fp == Saved::No => self.saved_fp = Saved::At(at),
            Register::RBX if self.saved_rbx == Saved::No => self.saved_rbx = Saved::At(at),
            _ => {}
        }
    }

    fn load(&mut self, register: Register, from: Option<i32>) {
        let after = |saved: Saved| match (saved, from) {
            (Saved::At(at), Some(from)) if at.checked_neg() == Some(from) => Saved::No,
            (Saved::At(at), _) => Saved::At(at),
            (Saved::No | Saved::Lost, _) => Saved::Lost,
        };
        match register {
            Register::RBP => {
                self.saved_fp = after(self.saved_fp);
                self.fp = None;
            }
            Register::RBX => self.saved_rbx = after(self.saved_rbx),
            _ => {}
        }
    }
}

fn slot(saved: Saved) -> Slot {
    match saved {
        Saved::No => Slot::Same,
        Saved::At(offset) => Slot::at_cfa(i64::from(offset)).unwrap_or(Slot::Undefined),
        Saved::Lost => Slot::Undefined,
    }
}

/// The DWARF number of a general register (System V ABI, AMD64 supplement, figure 3.36).
fn number(register: Register) -> Option<u8> {
    const ORDER: [Register; 16] = [
        Register::RAX,
        Register::RDX,
        Register::RCX,
        Register::RBX,
        Register::RSI,
        Register::RDI,
        Register::RBP,
        Register::RSP,
        Register::R8,
        Register::R9,
        Register::R10,
        Register::R11,
        Register::R12,
        Register::R13,
        Register::R14,
        Register::R15,
    ];
    ORDER.iter().position(|known| *known == register).and_then(|at| u8::try_from(at).ok())
}

/// Whether an instruction changes `held` or copies it. It may address memory by it.
fn ends_hold(held: Register, instruction: &Instruction, used: UsedRegister) -> bool {
    let is_operand = |operand| {
        instruction.op_kind(operand) == OpKind::Register
            && instruction.op_register(operand).full_register() == held
    };
    used.register().full_register() == held
        && (writes(used.access())
            || instruction.mnemonic() == Mnemonic::Lea
            || (0..instruction.op_count()).any(is_operand))
}

fn writes(access: OpAccess) -> bool {
    matches!(
        access,
        OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
    )
}

fn immediate(instruction: &Instruction) -> Option<i32> {
    i32::try_from(instruction.try_immediate(1).ok()? as i64).ok()
}
