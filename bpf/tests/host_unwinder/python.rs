//! Frames of Python, in made-up memory: where an interpreter's loop runs some, and what becomes of a stack whose cannot be read.

use std::sync::atomic::{AtomicU32, Ordering};

use infrared_abi::{
    IR_FRAME_LOW_CONFIDENCE, IR_PYTHON_EACH, IR_PYTHON_ENTRY, IR_PYTHON_NONE, IR_PYTHON_POINTER,
    IR_PYTHON_SHIM, IR_PYTHON_UNKNOWN, IR_RULE_OF_RUNTIME, IR_RULE_RUNTIME_SHIFT, IR_STOP_COMPLETE,
    IR_STOP_MAX_FRAMES, RuntimeId, ir_frame, ir_python_state, ir_rule,
};

use crate::{
    driver::{Environment, Script, Walked},
    stops::{Case, LEAF, ROOT, STACK, at},
};

/// An interpreter's loop, by which its native frame is left as any.
fn loop_rule() -> ir_rule {
    let runtime = (RuntimeId::Python as u8) << IR_RULE_RUNTIME_SHIFT;
    ir_rule { kind: LEAF.kind | IR_RULE_OF_RUNTIME as u8, cfa_reg: LEAF.cfa_reg | runtime, ..LEAF }
}

const WORDS: usize = 512;
const KEY: usize = 10;
/// Of key 0: 0x318 bytes into what the thread pointer points to.
const VALUE: usize = 0x318 / 8;
const THREAD: usize = 120;
const FRAMES: usize = 160;
const FRAME_WORDS: usize = 10;
const CODES: usize = 300;
const CODE_WORDS: usize = 20;
const INSTRUCTIONS: u64 = 16;

fn address(word: usize) -> u64 {
    STACK + word as u64 * 8
}

fn state(run: u32) -> ir_python_state {
    ir_python_state {
        key: address(KEY),
        present: 1,
        run: run as u16,
        position_kind: IR_PYTHON_POINTER as u16,
        first_frame: 72,
        through: IR_PYTHON_NONE as u16,
        previous: 8,
        code: 0,
        position: 56,
        mark: 64,
        instructions: INSTRUCTIONS as u16,
        first_line: 24,
        version: 28,
        file: 32,
        name: 40,
    }
}

/// Memory in which one function after the other has called the next: the first frame is the innermost. `marks`: a byte of each.
fn memory(marks: &[u64]) -> Vec<u64> {
    let mut words = vec![0; WORDS];
    words[VALUE] = address(THREAD);
    words[THREAD + 9] = address(FRAMES);
    for (index, mark) in marks.iter().enumerate() {
        let (frame, code) = (FRAMES + index * FRAME_WORDS, CODES + index * CODE_WORDS);
        words[frame] = address(code);
        words[frame + 1] = if index + 1 < marks.len() { address(frame + FRAME_WORDS) } else { 0 };
        words[frame + 7] = address(code) + INSTRUCTIONS + 2 * index as u64;
        words[frame + 8] = *mark;
        words[code + 3] = 1 | (index as u64 + 1) << 32;
    }
    words
}

fn walk(words: Vec<u64>, native: &[u64], damage: fn(&mut Environment)) -> Walked {
    // Tests run side by side, and a script is a file.
    static SCRIPTS: AtomicU32 = AtomicU32::new(0);
    let number = SCRIPTS.fetch_add(1, Ordering::Relaxed);
    let mut words = words;
    words[..native.len()].copy_from_slice(native);
    let case = Case { rules: vec![loop_rule(), ROOT], words, damage, ..Case::default() };
    let mut script = Script::new(&format!("python-{number}"));
    script.environment(&case.environment());
    script.walk(&case.start());
    script.run_walks().remove(0)
}

/// The frames as native code by its address, and Python by the number of its function.
fn shown(walked: &Walked) -> Vec<String> {
    let show = |frame: &ir_frame| match (frame.kind(), frame.address()) {
        (0, address) => format!("{:#x}", address - at(0)),
        (_, 0) => "unread".to_owned(),
        (_, code) => {
            let function = (code - address(CODES)) / (CODE_WORDS as u64 * 8);
            assert_eq!(u64::from(frame.position), 2 * function, "its position goes with it");
            format!("python {function}")
        }
    };
    walked.frames.iter().map(show).collect()
}

const SHIM: fn(&mut Environment) = |it| it.states.python = state(IR_PYTHON_SHIM);

#[test]
fn a_loop_runs_functions_up_to_the_one_that_says_that_it_is_the_last() {
    // Two loops: the inner one was called by what the outer one runs.
    let native = [at(0) + 1, at(1)];
    for (run, marks, expected) in [
        (IR_PYTHON_EACH, &[0, 0][..], ["python 0", "python 1"]),
        (IR_PYTHON_ENTRY, &[1, 1], ["python 0", "python 1"]),
        (IR_PYTHON_SHIM, &[0, 3, 0, 3], ["python 0", "python 2"]),
    ] {
        let damage: fn(&mut Environment) = match run {
            IR_PYTHON_EACH => |it| it.states.python = state(IR_PYTHON_EACH),
            IR_PYTHON_ENTRY => |it| it.states.python = state(IR_PYTHON_ENTRY),
            _ => SHIM,
        };
        let walked = walk(memory(marks), &native, damage);
        let [inner, outer] = expected;
        assert_eq!(shown(&walked), [inner, "0x0", outer, "0x1", "0x100"], "{run}");
        assert_eq!((walked.stop, walked.anonymous), (IR_STOP_COMPLETE, true));
    }
    // One loop that runs them all, as calls from Python to Python are inlined.
    let walked = walk(memory(&[0, 0, 0, 3]), &[at(1)], SHIM);
    assert_eq!(shown(&walked), ["python 0", "python 1", "python 2", "0x0", "0x100"]);
}

#[test]
fn what_cannot_be_read_is_said_once_and_the_native_stack_is_whole() {
    let unreadable: [fn(&mut Vec<u64>); 4] = [
        |words| words[KEY] = 1 << 20,
        |words| words[VALUE] = 1 << 40,
        |words| words[THREAD + 9] = 1 << 40,
        |words| words[FRAMES] = 1 << 40,
    ];
    for (index, damage) in unreadable.iter().enumerate() {
        let mut words = memory(&[0, 3]);
        damage(&mut words);
        let walked = walk(words, &[at(0) + 1, at(1)], SHIM);
        assert_eq!(shown(&walked), ["unread", "0x0", "0x1", "0x100"], "{index}");
        assert!(walked.frames[0].has(IR_FRAME_LOW_CONFIDENCE), "it does not count as whole");
        assert_eq!(walked.stop, IR_STOP_COMPLETE);
    }
    // A thread that runs no Python, or has not begun to.
    let mut words = memory(&[]);
    words[THREAD + 9] = 0;
    assert_eq!(shown(&walk(words, &[at(1)], SHIM)), ["0x0", "0x100"]);
    let mut words = memory(&[]);
    words[VALUE] = 0;
    assert_eq!(shown(&walk(words, &[at(1)], SHIM)), ["0x0", "0x100"]);
}

#[test]
fn a_version_that_is_not_known_is_said_once_and_the_native_stack_is_whole() {
    const VERSION: u16 = 0x030f;
    let unknown: fn(&mut Environment) = |it| {
        it.states.python = ir_python_state {
            present: IR_PYTHON_UNKNOWN as u16,
            mark: VERSION,
            ..ir_python_state::default()
        };
    };
    let walked = walk(memory(&[0, 3]), &[at(0) + 1, at(1)], unknown);
    assert_eq!(shown(&walked), ["unread", "0x0", "0x1", "0x100"]);
    assert_eq!(walked.frames[0].position, u32::from(VERSION));
    assert!(walked.frames.iter().all(|frame| !frame.has(IR_FRAME_LOW_CONFIDENCE)));
    assert_eq!((walked.stop, walked.anonymous), (IR_STOP_COMPLETE, false));
}

#[test]
fn frames_that_lead_back_to_themselves_end_at_the_limit() {
    let mut words = memory(&[0, 0]);
    words[FRAMES + FRAME_WORDS + 1] = address(FRAMES);
    let walked = walk(words, &[at(1)], SHIM);
    assert_eq!(walked.stop, IR_STOP_MAX_FRAMES);
}
