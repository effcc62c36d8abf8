//! Real programs, stopped between any two instructions: the unwinder's frames against the stack that calls and returns
//! made.

use std::process::Command;

use infrared_abi::{
    IR_FRAME_LOW_CONFIDENCE, IR_IMAGE_FIRST, IR_STOP_BAD_FRAME_POINTER, IR_STOP_COMPLETE,
    IR_STOP_UNSUPPORTED_RULE, ir_frame, ir_registers, stop_reason_text,
};

use crate::{
    driver::{Script, Start, Walked},
    layout::environment,
    shadow::{Instruction, RSP, ShadowStack},
    support::{images::Images, mappings::Mapping, program},
    tracee::{Step, Tracee},
};

/// A program, and what is awkward about it.
struct Shape {
    name: &'static str,
    compiler: &'static str,
    source: &'static str,
    flags: &'static [&'static str],
    argument: Option<&'static str>,
    /// longjmp's end has a rule that no row expresses: so many instructions may end there, and say so.
    unsupported: usize,
    /// Between the marks a signal comes every so many instructions outside of its handler; 0 for never.
    signal_every: usize,
    /// Its own code is unwound by frame pointers, as a guess: where gcc has moved other instructions to where a leaf sets
    /// its frame up or has left it, the walk passes over the leaf's caller or ends there. All else is right.
    is_guessed: bool,
}

const PLAIN: Shape = Shape {
    name: "",
    compiler: "gcc",
    source: "",
    flags: &["-O2", "-fomit-frame-pointer"],
    argument: None,
    unsupported: 0,
    signal_every: 0,
    is_guessed: false,
};

/// A large program with frame pointers and without unwind information.
const GUESSED: Shape = Shape {
    flags: &[
        "-O2",
        "-fno-omit-frame-pointer",
        "-fno-asynchronous-unwind-tables",
        "-fno-unwind-tables",
        "-DFRAME_POINTERS",
        "../tests/programs/asm/many_functions.S",
    ],
    is_guessed: true,
    ..PLAIN
};

const SHAPES: &[Shape] = &[
    Shape { name: "deep_recursion", source: "recursion.c", ..PLAIN },
    Shape {
        name: "frame_pointers",
        source: "recursion.c",
        flags: &["-O1", "-fno-omit-frame-pointer"],
        ..PLAIN
    },
    Shape {
        name: "lazy_binding",
        source: "callback.c",
        unsupported: 12,
        flags: &["-O2", "-Wl,-z,lazy", "-fcf-protection=none"],
        ..PLAIN
    },
    Shape {
        name: "lazy_binding_with_ibt",
        source: "callback.c",
        unsupported: 12,
        flags: &["-O2", "-Wl,-z,lazy", "-fcf-protection=full", "-Wl,-z,ibtplt"],
        ..PLAIN
    },
    Shape {
        name: "bound_at_start",
        source: "callback.c",
        unsupported: 12,
        flags: &["-O2", "-Wl,-z,now", "-no-pie"],
        ..PLAIN
    },
    Shape {
        name: "static_pie",
        source: "callback.c",
        flags: &["-O2", "-static-pie"],
        unsupported: 12,
        ..PLAIN
    },
    Shape { name: "unusual_frames", source: "layout.c", ..PLAIN },
    Shape { name: "unusual_frames_unoptimised", source: "layout.c", flags: &["-O0"], ..PLAIN },
    Shape { name: "unusual_frames_clang", compiler: "clang", source: "layout.c", ..PLAIN },
    Shape {
        name: "static_musl",
        compiler: "musl-gcc",
        source: "layout.c",
        flags: &["-O2", "-static"],
        ..PLAIN
    },
    Shape { name: "signal_on_the_same_stack", source: "signals.c", signal_every: 5, ..PLAIN },
    Shape {
        name: "signal_on_another_stack",
        source: "signals.c",
        argument: Some("alternate"),
        signal_every: 7,
        ..PLAIN
    },
    Shape { name: "cfa_in_rax", source: "cfa_in_rax.c", ..PLAIN },
    Shape {
        name: "no_unwind_information",
        source: "without_cfi.c",
        flags: &["-O2", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"],
        ..PLAIN
    },
    Shape { name: "guessed_recursion", source: "recursion.c", ..GUESSED },
    Shape { name: "guessed_callbacks", source: "without_cfi.c", ..GUESSED },
    Shape {
        name: "guessed_callbacks_clang",
        compiler: "clang",
        source: "without_cfi.c",
        ..GUESSED
    },
    Shape { name: "guessed_frames", source: "layout.c", ..GUESSED },
    Shape { name: "guessed_frames_clang", compiler: "clang", source: "layout.c", ..GUESSED },
];

/// Of the instructions outside the marks (loader, start and end of the program), every so many is compared.
const OUTSIDE_STRIDE: usize = 41;
/// Of the guesses, so many may be at a leaf without a frame.
const MOST_FRAMELESS_PERCENT: usize = 3;
/// More than the programs' own functions take.
const CODE_AROUND: u64 = 2048;
/// Every general register is known, and can be asked for one frame up (`IR_MORE_REGISTERS` of `unwind/walk.h`).
const ALL_REGISTERS: u32 = 0x1_ffff;
/// More than any of the programs takes.
const MAX_STEPS: usize = 1_000_000;

/// What the unwinder should find, from the shadow stack.
struct Expected {
    at: u64,
    is_between_marks: bool,
    frames: Vec<(u64, u32)>,
    /// Runtime address - stated address, by image.
    biases: Vec<(u32, u64)>,
}

struct Recorder<'a> {
    shape: &'a Shape,
    tracee: Tracee,
    shadow: ShadowStack,
    images: Images,
    mappings: Vec<Mapping>,
    biases: Vec<(u32, u64)>,
    script: Script,
    expected: Vec<Expected>,
    is_between_marks: bool,
    marks: usize,
}

impl<'a> Recorder<'a> {
    fn start(shape: &'a Shape) -> Self {
        let mut command =
            Command::new(program(shape.name, shape.compiler, shape.source, shape.flags));
        command.args(shape.argument);
        let mut recorder = Self {
            shape,
            tracee: Tracee::start(command),
            shadow: ShadowStack::default(),
            images: Images::default(),
            mappings: Vec::new(),
            biases: Vec::new(),
            script: Script::new(shape.name),
            expected: Vec::new(),
            is_between_marks: false,
            marks: 0,
        };
        recorder.follow_mappings();
        recorder
    }

    fn follow_mappings(&mut self) {
        let mappings = self.tracee.mappings();
        let code = |all: &[Mapping]| -> Vec<Mapping> {
            all.iter().filter(|mapping| mapping.executable).cloned().collect()
        };
        if code(&mappings) != code(&self.mappings) {
            let environment = environment(&mut self.images, &self.tracee, &mappings);
            self.biases = environment.mappings.iter().map(|m| (m.image, m.bias)).collect();
            self.script.environment(&environment);
        }
        self.mappings = mappings;
    }

    /// Follows the program from its first instruction to its end.
    fn run(&mut self) {
        let mut before = self.tracee.registers();
        let (mut signal, mut since_signal) = (0, 0);
        for step in 0..MAX_STEPS {
            let ended = self.tracee.step(signal);
            if let Step::Exited(status) = ended {
                assert_eq!(status, 0, "{} failed", self.shape.name);
                assert_eq!(self.marks, 2, "{} passes both marks", self.shape.name);
                return;
            }
            let after = self.tracee.registers();
            if signal != 0 {
                self.shadow.interrupt(&self.tracee, &before, &after);
                since_signal = 0;
            } else {
                self.follow(&before, &after);
            }
            let is_outside_too = !self.shape.is_guessed && step % OUTSIDE_STRIDE == 0;
            if self.is_between_marks || is_outside_too {
                self.record(&after);
            }
            if self.shadow.interrupted_stacks().next().is_none() {
                since_signal += 1;
            }
            signal = match ended {
                Step::Signal(signal) => signal,
                _ if self.wants_signal(since_signal) => libc::SIGUSR1,
                _ => 0,
            };
            before = after;
        }
        panic!("{} does not end", self.shape.name);
    }

    fn wants_signal(&self, since: usize) -> bool {
        let every = self.shape.signal_every;
        self.is_between_marks && every != 0 && since >= every
    }

    fn follow(&mut self, before: &ir_registers, after: &ir_registers) {
        match self.shadow.follow(&self.tracee, before, after) {
            Instruction::SystemCall => self.follow_mappings(),
            Instruction::Mark => {
                self.is_between_marks = !self.is_between_marks;
                self.marks += 1;
            }
            Instruction::Call | Instruction::Other => {}
        }
    }

    fn record(&mut self, registers: &ir_registers) {
        let mut stacks = vec![registers.general[RSP]];
        stacks.extend(self.shadow.interrupted_stacks());
        let mut regions: Vec<_> = stacks.into_iter().map(|sp| self.stack(sp)).collect();
        if self.shape.is_guessed {
            regions.push(self.code(registers.pc));
        }
        let start =
            Start { registers: *registers, valid: ALL_REGISTERS, return_address: false, regions };
        self.script.walk(&start);
        self.expected.push(Expected {
            at: registers.pc,
            is_between_marks: self.is_between_marks,
            frames: self.shadow.frames(registers.pc),
            biases: self.biases.clone(),
        });
    }

    /// The code that `pc` is in, and its callers.
    fn code(&self, pc: u64) -> (u64, Vec<u8>) {
        let start = pc.saturating_sub(CODE_AROUND);
        let mapping = self.mappings.iter().find(|m| (m.start..m.end).contains(&pc)).unwrap();
        let (start, end) = (start.max(mapping.start), (pc + CODE_AROUND).min(mapping.end));
        (start, self.tracee.read(start, (end - start) as usize))
    }

    /// The stack that `sp` points into, from its red zone up to the end of its mapping.
    fn stack(&self, sp: u64) -> (u64, Vec<u8>) {
        let mapping = self.mappings.iter().find(|m| (m.start..m.end).contains(&sp));
        let stack = self.mappings.iter().find(|mapping| mapping.path == "[stack]");
        // A stack that has grown since its mapping was read ends where it always did.
        let mapping = mapping.or(stack).unwrap();
        let start = sp - 256;
        (start, self.tracee.read(start, (mapping.end - start).min(64 << 10) as usize))
    }
}

/// How a walk differs from the truth.
enum Verdict {
    Same,
    /// Right as far as it goes, and says that it stops at an unsupported rule.
    Unsupported,
    /// A leaf that has no frame yet: its caller is passed over, or the walk says that it ends there.
    LeafWithoutFrame,
    Wrong(String),
}

impl Expected {
    fn verdict(&self, walked: &Walked, is_guessed: bool) -> Verdict {
        let bias = |image| self.biases.iter().find(|(of, _)| *of == image).map_or(0, |(_, b)| *b);
        let runtime = |frame: &ir_frame| {
            let flags = frame.flags() & !IR_FRAME_LOW_CONFIDENCE;
            match frame.image() {
                IR_IMAGE_FIRST.. => (frame.address().wrapping_add(bias(frame.image())), flags),
                _ => (frame.address(), flags),
            }
        };
        let found: Vec<_> = walked.frames.iter().map(runtime).collect();
        if found == self.frames && walked.stop == IR_STOP_COMPLETE {
            return Verdict::Same;
        }
        if self.frames.starts_with(&found) && walked.stop == IR_STOP_UNSUPPORTED_RULE {
            return Verdict::Unsupported;
        }
        let but_leafs_caller = self.frames.iter().take(1).chain(self.frames.iter().skip(2));
        let is_passed_over = walked.stop == IR_STOP_COMPLETE && but_leafs_caller.eq(&found);
        let is_cut = walked.stop == IR_STOP_BAD_FRAME_POINTER && self.frames.starts_with(&found);
        if is_guessed && (is_passed_over || is_cut) {
            return Verdict::LeafWithoutFrame;
        }
        let same = found.iter().zip(&self.frames).take_while(|(a, b)| a == b).count();
        Verdict::Wrong(format!(
            "at {:#x}: {same} of {} frames, then {:x?} for {:x?}; last right {:x?}; {}",
            self.at,
            self.frames.len(),
            found.get(same),
            self.frames.get(same),
            same.checked_sub(1).map(|last| walked.frames[last]),
            stop_reason_text(walked.stop),
        ))
    }
}

/// What is wrong with the walks over one program.
fn complaints(shape: &Shape) -> Vec<String> {
    let mut recorder = Recorder::start(shape);
    recorder.run();
    let walks = recorder.script.run_walks();
    assert_eq!(walks.len(), recorder.expected.len());
    let between = recorder.expected.iter().filter(|e| e.is_between_marks).count();
    assert!(between > 100, "{}: {between} instructions between the marks", shape.name);
    let (mut unsupported, mut frameless, mut complaints) = (0, 0, Vec::new());
    for (expected, walked) in recorder.expected.iter().zip(&walks) {
        let is_guess = |frame: &ir_frame| frame.has(IR_FRAME_LOW_CONFIDENCE);
        if walked.frames.iter().any(is_guess) != shape.is_guessed {
            complaints.push(format!("{} at {:#x}: guesses", shape.name, expected.at));
        }
        match expected.verdict(walked, shape.is_guessed) {
            Verdict::Same => {}
            Verdict::Unsupported => unsupported += 1,
            Verdict::LeafWithoutFrame => frameless += 1,
            Verdict::Wrong(how) => complaints.push(format!("{} {how}", shape.name)),
        }
    }
    if unsupported > shape.unsupported {
        complaints.push(format!("{}: {unsupported} end at unsupported rules", shape.name));
    }
    if frameless * 100 > walks.len() * MOST_FRAMELESS_PERCENT {
        complaints.push(format!("{}: {frameless} at a leaf without a frame", shape.name));
    }
    println!(
        "{:<28} {between} + {} compared, {frameless} at a leaf without a frame",
        shape.name,
        walks.len() - between
    );
    complaints
}

#[test]
fn every_instruction_of_awkward_programs_has_its_whole_stack() {
    let complaints: Vec<_> = SHAPES.iter().flat_map(complaints).collect();
    let shown = complaints.get(..complaints.len().min(30)).unwrap();
    assert!(complaints.is_empty(), "{} wrong\n{}", complaints.len(), shown.join("\n"));
}
