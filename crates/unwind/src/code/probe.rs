//! What the way to a return says about the frame before it: at `ret` sp is back at the return address.

use std::cell::Cell;

use iced_x86::{Decoder, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, Register};

use super::frame::Frame;

/// Longer ways are not followed.
const MAX_STEPS: usize = 400;

/// Any height will do to start with: only differences count.
const START: i32 = 1 << 20;

/// A way to a place at which the distance of sp from the CFA is known.
#[derive(Debug)]
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
    /// Nowhere that is known.
    Unknown,
}

impl Probe {
    /// Follows control from `svma` on, along `step` and past conditional jumps, and returns the frame that `svma` must
    /// have.
    pub(super) fn frame_at<'b>(
        svma: u64,
        decoder_at: impl Fn(u64) -> Option<Decoder<'b>>,
        known: impl Fn(u64) -> Option<Frame>,
        budget: &Cell<u64>,
    ) -> Option<Frame> {
        let mut probe = Self { frame: Frame::with_sp(START), fp_from: None, rbx_from: None };
        let mut factory = InstructionInfoFactory::new();
        let mut decoder = decoder_at(svma)?;
        let mut instruction = Instruction::default();
        for _ in 0..MAX_STEPS {
            budget.set(budget.get().checked_sub(1)?);
            if let Some(frame) = known(decoder.ip()) {
                return probe.solve(frame.sp()?);
            }
            if !decoder.can_decode() {
                return None;
            }
            decoder.decode_out(&mut instruction);
            match step(&instruction) {
                Step::Known(frame) => return probe.solve(frame.sp()?),
                Step::At(target) if target == instruction.next_ip() => {}
                Step::At(target) => decoder = decoder_at(target)?,
                Step::Unknown => return None,
            }
            probe.pass(&instruction, &mut factory);
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
        FlowControl::Next
        | FlowControl::Call
        | FlowControl::IndirectCall
        | FlowControl::ConditionalBranch => Step::At(instruction.next_ip()),
        FlowControl::UnconditionalBranch => Step::At(instruction.near_branch_target()),
        _ => Step::Unknown,
    }
}
