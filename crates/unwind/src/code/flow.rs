//! Which instructions a function's control reaches, and with which frame.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hashbrown::HashMap;
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic,
};

use super::fibre;
use super::frame::Frame;
use super::probe::{Code, Probe};
use super::switch::{Read, Switch};
use crate::rule::Rule;

/// `mov rax, 15; syscall` and `mov eax, 15; syscall`: the system call `rt_sigreturn`.
const SIGRETURN: [&[u8]; 2] =
    [&[0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05], &[0xb8, 15, 0, 0, 0, 0x0f, 0x05]];

/// Padding between instructions is shorter than this.
const MAX_PADDING: usize = 16;

/// What may be spent on guesses for each byte of code. Real code needs less than 1.
const STEPS_PER_BYTE: u64 = 4;

/// Where compilers and assemblers let functions begin.
const ALIGNMENT: u64 = 16;

const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// An index into [`Flow::frames`], plus 1; 0 for bytes that were not reached.
type FrameId = u16;

#[derive(Debug)]
struct CodeRange<'d> {
    start: u64,
    bytes: &'d [u8],
    frames: Vec<FrameId>,
}

impl CodeRange<'_> {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// Follows control through ranges of code.
pub(super) struct Flow<'r, 'd> {
    read: &'r Read<'r, 'd>,
    ranges: Vec<CodeRange<'d>>,
    frames: Vec<Frame>,
    ids: HashMap<Frame, FrameId>,
    /// First instructions of functions.
    starts: BTreeSet<u64>,
    pending: Vec<(u64, Frame)>,
    /// Jumps to unknown places, and the frame at each.
    indirect_jumps: BTreeMap<u64, Frame>,
    /// Instructions at which the frame, or the instruction itself, is unknown.
    lost: BTreeSet<u64>,
    factory: InstructionInfoFactory,
    /// Instructions that probes and switches may still cost.
    budget: Cell<u64>,
}

impl<'r, 'd> Flow<'r, 'd> {
    pub(super) fn new(read: &'r Read<'r, 'd>) -> Self {
        Self {
            read,
            ranges: Vec::new(),
            frames: Vec::new(),
            ids: HashMap::new(),
            starts: BTreeSet::new(),
            pending: Vec::new(),
            indirect_jumps: BTreeMap::new(),
            lost: BTreeSet::new(),
            factory: InstructionInfoFactory::new(),
            budget: Cell::new(0),
        }
    }

    /// Ranges come in ascending order.
    pub(super) fn add_range(&mut self, start: u64, bytes: &'d [u8]) {
        self.budget.set(self.budget.get() + STEPS_PER_BYTE * bytes.len() as u64);
        self.ranges.push(CodeRange { start, bytes, frames: vec![0; bytes.len()] });
    }

    /// Follows the process's first instructions.
    pub(super) fn follow_entry(&mut self, svma: u64) {
        self.starts.insert(svma);
        self.pending.push((svma, Frame::ROOT));
        self.run();
    }

    /// Follows functions and all that they call.
    pub(super) fn follow_functions(&mut self, starts: BTreeSet<u64>) {
        self.starts.extend(&starts);
        for start in starts {
            self.start_function(start);
            self.run();
        }
    }

    /// Follows what no direct jump or call leads to: functions that are called by their address, and the cases of
    /// switches.
    pub(super) fn follow_the_rest(&mut self) {
        for index in 0..self.ranges.len() {
            let mut at = 0;
            while let Some(offset) = self.next_unreached(index, at) {
                let range = &self.ranges[index];
                let svma = range.start + offset as u64;
                at = match self.guess(index, offset) {
                    Some(frame) => {
                        self.pending.push((svma, frame));
                        self.run();
                        offset + 1
                    }
                    None => end_of_block(&self.ranges[index], offset),
                };
            }
        }
    }

    fn start_function(&mut self, svma: u64) {
        let Some((index, offset)) = self.locate(svma) else { return };
        self.starts.insert(svma);
        let frame = self.entry_frame(index, offset);
        self.pending.push((svma, frame));
    }

    /// Follows code at `svma`, whose address is taken, if a stack begins there.
    fn begin_stack(&mut self, svma: u64) {
        let Some((index, offset)) = self.locate(svma) else { return };
        let frame = match fibre::beginning(self.ranges[index].bytes, offset) {
            Some(fibre::Beginning::Jump) => Frame::ROOT,
            Some(fibre::Beginning::Exit) => Frame::RETURNED_TO,
            None => return,
        };
        self.starts.insert(svma);
        self.pending.push((svma, frame));
    }

    fn entry_frame(&self, index: usize, offset: usize) -> Frame {
        let bytes = &self.ranges[index].bytes[offset..];
        let is_sigreturn = SIGRETURN.iter().any(|code| bytes.starts_with(code));
        if is_sigreturn { Frame::SIGNAL } else { Frame::ENTRY }
    }

    /// The frame of a block that nothing is known to lead to; `None` if the code does not show it.
    fn guess(&mut self, index: usize, offset: usize) -> Option<Frame> {
        let range = &self.ranges[index];
        let bytes = &range.bytes[offset..];
        let svma = range.start + offset as u64;
        // push [rip + x]; jmp [rip + y]
        if offset == 0 && bytes.starts_with(&[0xff, 0x35]) && bytes.get(6..8) == Some(&[0xff, 0x25])
        {
            return Some(Frame::PLT_START);
        }
        let may_start = starts_function(bytes);
        let frame = self.probe(svma).or_else(|| {
            // The cases of a switch lie behind its jump. A function that starts there is mostly aligned.
            let jump = self.indirect_jumps.range(range.start..svma).next_back();
            jump.filter(|(at, _)| {
                !may_start
                    && !svma.is_multiple_of(ALIGNMENT)
                    && self.starts.range(**at + 1..=svma).next().is_none()
            })
            .map(|(_, frame)| *frame)
        });
        match frame {
            Some(frame) if frame != Frame::ENTRY => Some(frame),
            None if !may_start || !svma.is_multiple_of(ALIGNMENT) && self.is_behind_lost(svma) => {
                None
            }
            _ => {
                self.starts.insert(svma);
                Some(self.entry_frame(index, offset))
            }
        }
    }

    /// Whether the function before `svma` may go on there: what is known of it ended before its end.
    fn is_behind_lost(&self, svma: u64) -> bool {
        let start = self.starts.range(..svma).next_back().copied().unwrap_or(0);
        self.lost.range(start..svma).next().is_some()
    }

    /// The first byte from `at` on that was not reached and is no padding.
    ///
    /// Where an instruction is unknown, so is where the next one begins: code goes on where it was reached, and where a
    /// function says that it starts.
    fn next_unreached(&self, index: usize, mut at: usize) -> Option<usize> {
        let range = &self.ranges[index];
        let is_known = |at: &usize| {
            let is_aligned = (range.start + *at as u64).is_multiple_of(ALIGNMENT);
            range.frames[*at] != 0 || is_aligned && range.bytes[*at..].starts_with(&ENDBR64)
        };
        while at < range.bytes.len() {
            if range.frames[at] != 0 {
                at += 1;
                continue;
            }
            match padding_at(range.bytes, at) {
                Some(0) => return Some(at),
                Some(padding) => at += padding,
                None => at = (at + 1..range.bytes.len()).find(is_known)?,
            }
        }
        None
    }

    fn locate(&self, svma: u64) -> Option<(usize, usize)> {
        let after = self.ranges.partition_point(|range| range.start <= svma);
        let index = after.checked_sub(1)?;
        let range = &self.ranges[index];
        (svma < range.end()).then(|| (index, (svma - range.start) as usize))
    }

    fn run(&mut self) {
        while let Some((svma, frame)) = self.pending.pop() {
            if let Some((index, offset)) = self.locate(svma) {
                self.follow_block(index, offset, frame);
            }
        }
    }

    /// Follows instructions up to one that was reached before, or that control does not pass.
    fn follow_block(&mut self, index: usize, offset: usize, mut frame: Frame) {
        let mut switch = Switch::default();
        let mut after_call = false;
        let bytes = self.ranges[index].bytes;
        let mut decoder = decoder(&self.ranges[index], offset);
        let mut instruction = Instruction::default();
        while decoder.can_decode() {
            let at = decoder.position();
            if self.ranges[index].frames[at] != 0 {
                break;
            }
            decoder.decode_out(&mut instruction);
            if instruction.is_invalid() || frame.rule().is_none() {
                self.lost.insert(self.ranges[index].start + at as u64);
                break;
            }
            let Some(id) = self.id(frame) else { break };
            self.ranges[index].frames[at..decoder.position().min(bytes.len())].fill(id);
            switch.note(&instruction);
            if let Some(target) = fibre::taken_address(&instruction) {
                self.begin_stack(target);
            }
            if !self.branch(&instruction, frame, switch) {
                break;
            }
            frame = frame.after(&instruction, &mut self.factory);
            let next = decoder.ip();
            let padded = instruction.mnemonic() == Mnemonic::Nop;
            after_call = instruction.mnemonic() == Mnemonic::Call || after_call && padded;
            // A call that does not return is followed by another function or another part of this one.
            let may_be_elsewhere = after_call && (padded || next.is_multiple_of(16));
            if self.starts.contains(&next) || may_be_elsewhere && !self.continues(next, frame) {
                break;
            }
        }
    }

    /// Whether code at `svma` can have `frame`.
    fn continues(&self, svma: u64, frame: Frame) -> bool {
        match self.probe(svma) {
            Some(probed) => probed.sp() == frame.sp(),
            None => self.locate(svma).is_none_or(|(index, offset)| {
                !starts_function(&self.ranges[index].bytes[offset..])
            }),
        }
    }

    fn probe(&self, svma: u64) -> Option<Frame> {
        let decoder_at = |svma| {
            let (index, offset) = self.locate(svma)?;
            Some(decoder(&self.ranges[index], offset))
        };
        let known = |svma| {
            let (index, offset) = self.locate(svma)?;
            let id = usize::from(self.ranges[index].frames[offset]).checked_sub(1)?;
            self.frames.get(id).copied()
        };
        // What follows a call that does not return is another function, or another part of this one.
        let may_be_elsewhere = |svma| {
            self.starts.contains(&svma)
                || self.locate(svma).is_none_or(|(index, offset)| {
                    let bytes = self.ranges[index].bytes;
                    starts_function(&bytes[offset..]) || padding_at(bytes, offset) != Some(0)
                })
        };
        let code = Code { decoder_at, known, may_be_elsewhere };
        Probe::frame_at(svma, &code, &self.budget)
    }

    /// Notes where the instruction leads besides the next one; false if control does not get there.
    fn branch(&mut self, instruction: &Instruction, frame: Frame, switch: Switch) -> bool {
        let target = instruction.near_branch_target();
        match instruction.flow_control() {
            _ if instruction.mnemonic() == Mnemonic::Hlt => false,
            FlowControl::Next | FlowControl::IndirectCall | FlowControl::XbeginXabortXend => true,
            FlowControl::Call if instruction.mnemonic() == Mnemonic::Syscall => true,
            FlowControl::Call => {
                if target != instruction.next_ip() {
                    self.start_function(target);
                }
                true
            }
            FlowControl::ConditionalBranch => {
                self.jump(target, frame);
                true
            }
            FlowControl::UnconditionalBranch => {
                self.jump(target, frame);
                false
            }
            FlowControl::IndirectBranch => {
                match switch.targets(instruction, self.read, &self.budget) {
                    Some(targets) => {
                        self.pending.extend(targets.into_iter().map(|target| (target, frame)));
                    }
                    None if frame.sp().is_some() => {
                        self.indirect_jumps.insert(instruction.ip(), frame);
                    }
                    None => {}
                }
                false
            }
            FlowControl::Return | FlowControl::Interrupt | FlowControl::Exception => false,
        }
    }

    /// A function that is entered by a jump has its return address on top of the stack, whatever arguments its caller
    /// has moved below it: V8's builtins pop theirs, and enter each other so.
    fn jump(&mut self, target: u64, frame: Frame) {
        match self.locate(target) {
            Some((index, offset)) if sets_frame_pointer(&self.ranges[index].bytes[offset..]) => {
                self.start_function(target);
            }
            _ => self.pending.push((target, frame)),
        }
    }

    fn id(&mut self, frame: Frame) -> Option<FrameId> {
        if let Some(id) = self.ids.get(&frame) {
            return Some(*id);
        }
        let id = FrameId::try_from(self.frames.len() + 1).ok()?;
        self.frames.push(frame);
        self.ids.insert(frame, id);
        Some(id)
    }

    /// Calls `sink` for each run of addresses with one frame, in ascending order.
    pub(super) fn for_each_run(&self, mut sink: impl FnMut(Range<u64>, Rule)) {
        for range in &self.ranges {
            let frames = &range.frames;
            let mut start = 0;
            while start < frames.len() {
                let id = frames[start];
                let mut end = start + run_length(&frames[start..]);
                let frame = usize::from(id).checked_sub(1).and_then(|index| self.frames.get(index));
                if let Some(rule) = frame.and_then(Frame::rule) {
                    let padding = frames.get(end..).map_or(0, run_length);
                    let is_padding = |bytes| skip_padding(bytes, 0).is_none();
                    if frames.get(end) == Some(&0)
                        && padding < MAX_PADDING
                        && range.bytes.get(end..end + padding).is_some_and(is_padding)
                    {
                        end += padding;
                    }
                    let early = u64::from(self.frame(id).is_returned_to() && start > 0);
                    sink(range.start + start as u64 - early..range.start + end as u64, rule);
                }
                start = end;
            }
        }
    }

    fn frame(&self, id: FrameId) -> &Frame {
        &self.frames[usize::from(id) - 1]
    }
}

/// The first byte from `at` on that is no padding.
pub(super) fn skip_padding(bytes: &[u8], mut at: usize) -> Option<usize> {
    while at < bytes.len() {
        match padding_at(bytes, at) {
            Some(padding) if padding > 0 => at += padding,
            _ => return Some(at),
        }
    }
    None
}

/// How many bytes at `at` do nothing, or are never run; `None` if the instruction there is unknown.
fn padding_at(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..).unwrap_or_default();
    let instruction = Decoder::new(64, rest, DecoderOptions::NONE).decode();
    match instruction.mnemonic() {
        _ if rest.first() == Some(&0) => Some(1),
        Mnemonic::INVALID => None,
        Mnemonic::Nop | Mnemonic::Int3 => Some(instruction.len()),
        _ => Some(0),
    }
}

/// Behind the instruction from `offset` on that control does not pass, or at the first unknown one.
fn end_of_block(range: &CodeRange<'_>, offset: usize) -> usize {
    let mut decoder = decoder(range, offset);
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        let at = decoder.position();
        if at > offset && range.frames[at] != 0 {
            return at;
        }
        decoder.decode_out(&mut instruction);
        match instruction.flow_control() {
            _ if instruction.is_invalid() => return at.max(offset + 1),
            FlowControl::UnconditionalBranch
            | FlowControl::IndirectBranch
            | FlowControl::Return
            | FlowControl::Exception => return decoder.position(),
            _ => {}
        }
    }
    range.bytes.len()
}

fn run_length(frames: &[FrameId]) -> usize {
    frames.iter().take_while(|id| **id == frames[0]).count()
}

fn decoder<'b>(range: &CodeRange<'b>, offset: usize) -> Decoder<'b> {
    let mut decoder = Decoder::with_ip(64, range.bytes, range.start, DecoderOptions::NONE);
    // The position is inside the range, so it can be set.
    if decoder.set_position(offset).is_ok() {
        decoder.set_ip(range.start + offset as u64);
    }
    decoder
}

/// Whether code starts with `push rbp; mov rbp, rsp`, in either encoding.
fn sets_frame_pointer(bytes: &[u8]) -> bool {
    matches!(*bytes, [0x55, 0x48, 0x89, 0xe5, ..] | [0x55, 0x48, 0x8b, 0xec, ..])
}

/// Whether code starts with a push of a callee-saved register, `sub rsp`, `endbr64`, or `mov reg, rsp; and rsp`.
fn starts_function(bytes: &[u8]) -> bool {
    matches!(
        *bytes,
        [0x53 | 0x55, ..]
            | [0x41, 0x54..=0x57, ..]
            | [0x48, 0x83 | 0x81, 0xec, ..]
            | [0xf3, 0x0f, 0x1e, 0xfa, ..]
            | [0x48 | 0x49, 0x89, 0xe0..=0xe7, 0x48, 0x83, 0xe4, ..]
    )
}
