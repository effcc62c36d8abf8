//! What the way to a return says about the frame before it: at `ret` sp is back at the return address.

use std::cell::Cell;
use std::collections::HashSet;

use iced_x86::{Decoder, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, Register};

use super::frame::Frame;

/// Instructions that are looked at, on all ways together. SIMD code is unrolled into functions of a thousand and more.
const MAX_STEPS: usize = 4000;

/// Ways that are kept for when the one that is followed leads nowhere.
const MAX_OTHER_WAYS: usize = 64;

/// Any height will do to start with: only differences count.
const START: i32 = 1 << 20;

/// A way to a place at which the distance of sp from the CFA is known.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    frame: Frame,
    fp_from: Option<i32>,
    rbx_from: Option<i32>,
}

/// Where a step of the way leads.
pub(super) enum Step {
    /// To the frame that is known at this address.
    Known(Frame),
    /// On to this address.
    At(u64),
    /// On to the next instruction, or to this address.
    Either(u64),
    /// On to the next instruction, if the function that is called returns.
    Call,
    /// Nowhere that is known.
    Unknown,
}

/// The code that ways lead through.
pub(super) struct Code<D, K, E> {
    pub(super) decoder_at: D,
    /// The frame at an address that was reached.
    pub(super) known: K,
    /// Whether what is behind a call may have nothing to do with it.
    pub(super) may_be_elsewhere: E,
}

impl Probe {
    /// Follows control from `svma` on and returns the frame that `svma` must have. A way that leads round in a circle, or
    /// to an unknown place, is left for another one.
    pub(super) fn frame_at<'b>(
        svma: u64,
        code: &Code<
            impl Fn(u64) -> Option<Decoder<'b>>,
            impl Fn(u64) -> Option<Frame>,
            impl Fn(u64) -> bool,
        >,
        budget: &Cell<u64>,
    ) -> Option<Frame> {
        let start = Self { frame: Frame::with_sp(START), fp_from: None, rbx_from: None };
        let mut ways = vec![(svma, start)];
        let mut seen = HashSet::new();
        let mut factory = InstructionInfoFactory::new();
        let mut instruction = Instruction::default();
        while let Some((from, mut probe)) = ways.pop() {
            let Some(mut decoder) = (code.decoder_at)(from) else { continue };
            loop {
                budget.set(budget.get().checked_sub(1)?);
                if let Some(frame) = (code.known)(decoder.ip()) {
                    return probe.solve(frame.sp()?);
                }
                if !decoder.can_decode() || !seen.insert(decoder.ip()) {
                    break;
                }
                if seen.len() > MAX_STEPS {
                    return None;
                }
                decoder.decode_out(&mut instruction);
                let next = instruction.next_ip();
                let step = step(&instruction);
                if let Step::Known(frame) = step {
                    return probe.solve(frame.sp()?);
                }
                probe.pass(&instruction, &mut factory);
                match step {
                    Step::At(target) if target == next => {}
                    Step::At(target) => match (code.decoder_at)(target) {
                        Some(there) => decoder = there,
                        None => break,
                    },
                    Step::Either(target) if ways.len() < MAX_OTHER_WAYS => {
                        ways.push((target, probe.clone()));
                    }
                    Step::Call if (code.may_be_elsewhere)(next) => break,
                    Step::Unknown => break,
                    Step::Either(_) | Step::Call | Step::Known(_) => {}
                }
            }
        }
        None
    }

    fn pass(&mut self, instruction: &Instruction, factory: &mut InstructionInfoFactory) {
        if instruction.mnemonic() == Mnemonic::Pop {
            match instruction.op0_register() {
                Register::RBP if self.fp_from.is_none() => self.fp_from = self.frame.sp(),
                Register::RBX if self.rbx_from.is_none() => self.rbx_from = self.frame.sp(),
                _ => {}
            }
        }
        self.frame = self.frame.after(instruction, factory);
    }

    /// The frame at the start, if sp is `sp` below the CFA here.
    fn solve(&self, sp: i32) -> Option<Frame> {
        let shift = sp.checked_sub(self.frame.sp()?)?;
        let moved = |at: Option<i32>| at.and_then(|at| at.checked_add(shift));
        let start = START.checked_add(shift)?;
        (start >= 8).then(|| Frame::restoring(start, moved(self.fp_from), moved(self.rbx_from)))
    }
}

fn step(instruction: &Instruction) -> Step {
    match instruction.flow_control() {
        _ if instruction.is_invalid() || instruction.mnemonic() == Mnemonic::Hlt => Step::Unknown,
        FlowControl::Return => Step::Known(Frame::ENTRY),
        FlowControl::Next => Step::At(instruction.next_ip()),
        FlowControl::Call if instruction.mnemonic() == Mnemonic::Syscall => {
            Step::At(instruction.next_ip())
        }
        // Position-independent code may call the next instruction for its address.
        FlowControl::Call if instruction.near_branch_target() == instruction.next_ip() => {
            Step::At(instruction.next_ip())
        }
        FlowControl::Call | FlowControl::IndirectCall => Step::Call,
        FlowControl::ConditionalBranch => Step::Either(instruction.near_branch_target()),
        FlowControl::UnconditionalBranch => Step::At(instruction.near_branch_target()),
        _ => Step::Unknown,
    }
}
