//! Frames of V8, in made-up memory: functions that its interpreter runs and that it compiled, its own code, and compiled code at every
//! point of its way in and out.

use std::sync::atomic::{AtomicU32, Ordering};

use infrared_abi::{
    IR_FRAME_LOW_CONFIDENCE, IR_PROCESS_MAKES_CODE, IR_RULE_GUESS, IR_RULE_OF_RUNTIME,
    IR_RULE_OFFSET, IR_RULE_RUNTIME_SHIFT, IR_STOP_COMPLETE, IR_V8_COMPILED, RuntimeId, ir_frame,
    ir_rule, ir_v8_state,
};

use crate::{
    driver::{Environment, Script, Start, Walked},
    stops::{ANONYMOUS, Case, LEAF, ROOT, STACK, at, rule},
};

const WORDS: usize = 256;
/// Words of the memory: objects that each take some.
const FUNCTION: usize = 100;
const SHARED: usize = 110;
const SCRIPT: usize = 120;
const SCRIPT_MAP: usize = 130;
const LIBRARY_FUNCTION: usize = 140;
const LIBRARY_SHARED: usize = 150;
const NOTHING: usize = 160;
const OTHER_MAP: usize = 170;
const SCRIPT_TYPE: u16 = 167;
const BYTECODES: u64 = 56;
const STUB: u64 = 2 * 17;

fn address(word: usize) -> u64 {
    STACK + word as u64 * 8
}

/// A tagged pointer.
fn object(word: usize) -> u64 {
    address(word) + 1
}

fn small(number: u64) -> u64 {
    number << 32
}

/// A rule of the engine's own code.
const fn own(native: ir_rule) -> ir_rule {
    let runtime = (RuntimeId::V8 as u8) << IR_RULE_RUNTIME_SHIFT;
    let (kind, cfa_reg) = (native.kind | IR_RULE_OF_RUNTIME as u8, native.cfa_reg | runtime);
    ir_rule { kind, cfa_reg, ..native }
}

const ENGINE: fn(&mut Environment) = |it| {
    it.process.state |= IR_PROCESS_MAKES_CODE;
    it.states.v8 = ir_v8_state {
        present: 1,
        shared: 24,
        script: 32,
        literal: 16,
        script_id: 40,
        instance_type: 12,
        script_type: SCRIPT_TYPE,
        bytecodes: BYTECODES as u16,
    };
};

/// A function of a script, and one of the library.
fn memory() -> Vec<u64> {
    let mut words = vec![0; WORDS];
    words[FUNCTION + 3] = object(SHARED);
    words[SHARED + 4] = object(SCRIPT);
    words[SHARED + 2] = 7;
    words[SCRIPT] = object(SCRIPT_MAP);
    words[SCRIPT + 5] = small(40);
    words[SCRIPT_MAP + 1] = u64::from(SCRIPT_TYPE) << 32;
    words[LIBRARY_FUNCTION + 3] = object(LIBRARY_SHARED);
    words[LIBRARY_SHARED + 4] = object(NOTHING);
    words[NOTHING] = object(OTHER_MAP);
    words
}

/// A frame with its frame pointer at a word.
fn put(
    words: &mut [u64],
    fp: usize,
    (context, function): (u64, u64),
    (caller, next): (u64, usize),
) {
    words[fp - 5] = small(BYTECODES - 1 + 12);
    words[fp - 2] = function;
    words[fp - 1] = context;
    words[fp] = address(next);
    words[fp + 1] = caller;
}

/// The engine's code is where the first rules are; a walk begins at a pc, with the frame pointer at a word, amid these bytes.
struct Begin<'b> {
    pc: u64,
    fp: usize,
    rules: Vec<ir_rule>,
    code: (&'b [u8], &'b [u8]),
    damage: fn(&mut Environment),
}

impl Default for Begin<'_> {
    fn default() -> Self {
        Self {
            pc: COMPILED,
            fp: 20,
            rules: vec![own(rule(IR_RULE_GUESS, 0, 0)), own(LEAF), ROOT],
            code: (&[], &[]),
            damage: ENGINE,
        }
    }
}

const COMPILED: u64 = ANONYMOUS + 0x100;

impl Begin<'_> {
    fn walk(self, words: Vec<u64>) -> Walked {
        // Tests run side by side, and a script is a file.
        static SCRIPTS: AtomicU32 = AtomicU32::new(0);
        let number = SCRIPTS.fetch_add(1, Ordering::Relaxed);
        let Self { pc, fp, rules, code: (before, from), damage } = self;
        let case = Case { rules, pc, rbp: address(fp), words, damage, ..Case::default() };
        let mut code = vec![0x90; 0x200];
        let place = (COMPILED - ANONYMOUS) as usize;
        code[place - before.len()..place].copy_from_slice(before);
        code[place..place + from.len()].copy_from_slice(from);
        let mut start: Start = case.start();
        start.registers.general[5] = object(FUNCTION);
        start.regions.push((ANONYMOUS, code));
        let mut script = Script::new(&format!("v8-{number}"));
        script.environment(&case.environment());
        script.walk(&start);
        script.run_walks().remove(0)
    }
}

/// The frames: native code by its address, functions by how they are run.
fn shown(walked: &Walked) -> Vec<String> {
    let show = |frame: &ir_frame| {
        let is_compiled = frame.address() & u64::from(IR_V8_COMPILED) != 0;
        let doubt = if frame.has(IR_FRAME_LOW_CONFIDENCE) { "?" } else { "" };
        let text = match frame.address() & !u64::from(IR_V8_COMPILED) {
            _ if frame.kind() != RuntimeId::V8 as u32 && frame.address() >= ANONYMOUS => {
                "made".to_owned()
            }
            native if frame.kind() != RuntimeId::V8 as u32 => {
                format!("{:#x}", native.wrapping_sub(at(0)))
            }
            0 => "unread".to_owned(),
            shared => {
                assert_eq!(shared, address(SHARED));
                if is_compiled {
                    assert_eq!(frame.space >> 16, 0, "of a pc below 4 GiB");
                    format!("compiled {:#x}", u64::from(frame.position) - COMPILED)
                } else {
                    format!("interpreted {}", frame.position)
                }
            }
        };
        format!("{text}{doubt}")
    };
    walked.frames.iter().map(show).collect()
}

const OF_SCRIPT: (u64, u64) = (address_of_context(), STACK + FUNCTION as u64 * 8 + 1);
const OF_LIBRARY: (u64, u64) = (address_of_context(), STACK + LIBRARY_FUNCTION as u64 * 8 + 1);
const OF_STUB: (u64, u64) = (STUB, 0);

const fn address_of_context() -> u64 {
    STACK + NOTHING as u64 * 8 + 1
}

#[test]
fn functions_stand_for_the_interpreter_s_frames_and_all_others_stay() {
    let mut words = memory();
    // A stub, interpreted, the library, compiled, and what has called the engine.
    put(&mut words, 20, OF_STUB, (at(0), 30));
    put(&mut words, 30, OF_SCRIPT, (at(0) + 4, 40));
    put(&mut words, 40, OF_LIBRARY, (COMPILED + 9, 50));
    put(&mut words, 50, OF_SCRIPT, (at(2), 60));
    let walked = Begin { pc: at(0), ..Begin::default() }.walk(words);
    assert_eq!(walked.stop, IR_STOP_COMPLETE, "{walked:?}");
    assert_eq!(shown(&walked), ["0x0", "interpreted 12", "0x4", "compiled 0x8", "0x200"]);
    assert!(walked.anonymous);
}

#[test]
fn what_has_no_frame_of_its_own_does_not_hide_who_has_called_it() {
    let mut words = memory();
    put(&mut words, 20, OF_SCRIPT, (at(2), 30));
    // A handler of a bytecode: its return address is on top, the frame pointer the interpreter's.
    words[0] = at(0);
    let walked = Begin { pc: at(1), ..Begin::default() }.walk(words.clone());
    assert_eq!(shown(&walked), ["0x100", "interpreted 12", "0x200"]);
    // It has one, by its rule: it is the interpreter itself.
    let rule = own(rule(IR_RULE_OFFSET, 7, 22 * 8));
    let rules = vec![own(LEAF), rule, ROOT];
    let walked = Begin { pc: at(1), rules, ..Begin::default() }.walk(words);
    assert_eq!(shown(&walked), ["interpreted 12", "0x200"]);
}

#[test]
fn what_has_moved_its_return_address_is_left_by_its_frame_pointer() {
    let mut words = memory();
    put(&mut words, 20, OF_STUB, (COMPILED + 9, 50));
    put(&mut words, 50, OF_SCRIPT, (at(2), 60));
    words[0] = at(1);
    // As the code was followed, the return address is six words higher: there is an object.
    let moved = ir_rule { fp_slot: -2, ..rule(IR_RULE_OFFSET, 7, 27 * 8) };
    words[27] = object(NOTHING);
    let walked = Begin { pc: at(0), rules: vec![own(LEAF), own(moved), ROOT], ..Begin::default() };
    let walked = walked.walk(words);
    assert_eq!(shown(&walked), ["0x0", "0x100", "compiled 0x8", "0x200"]);
}

/// By which return address compiled code was left, amid these bytes, and whether its function was known.
fn left_by(before: &[u8], from: &[u8]) -> (u64, bool) {
    let mut words = memory();
    // Entered; pushed; all of it there.
    words[0] = at(2);
    words[1] = at(3);
    put(&mut words, 20, OF_SCRIPT, (at(4), 30));
    words[18] = object(LIBRARY_FUNCTION);
    let is_built = from.is_empty();
    if is_built {
        words[18] = object(FUNCTION);
    }
    let rules = vec![LEAF, LEAF, ROOT, ROOT, ROOT];
    let walked = Begin { rules, code: (before, from), ..Begin::default() }.walk(words);
    let shown = shown(&walked);
    let [function, _] = &shown[..] else { panic!("{walked:?}") };
    ((walked.frames[1].address() - at(2)) / 0x100, function == "compiled 0x0")
}

#[test]
fn compiled_code_is_left_by_what_it_has_of_its_frame() {
    const ENTERED: u64 = 0;
    const PUSHED: u64 = 1;
    const BUILT: u64 = 2;
    const SET_UP: [u8; 7] = [0x55, 0x48, 0x89, 0xe5, 0x56, 0x57, 0x50];
    const CHECK: [u8; 13] = [0x8b, 0x59, 0xd0, 0xf6, 0x43, 0x07, 0x20, 0x0f, 0x85, 1, 2, 3, 4];
    let checked = [&CHECK[..], &SET_UP].concat();
    for (before, from, expected) in [
        (&[][..], &checked[..], (ENTERED, true)),
        (&CHECK, &SET_UP, (ENTERED, true)),
        (&CHECK, &[0x55, 0x48, 0x8b, 0xec], (ENTERED, true)),
        (&SET_UP[..1], &SET_UP[1..], (PUSHED, true)),
        (&SET_UP[..4], &SET_UP[4..], (BUILT, true)),
        (&SET_UP[..5], &SET_UP[5..], (BUILT, true)),
        (&SET_UP, &[], (BUILT, true)),
        (&[0x48, 0x8b, 0xe5, 0x5d], &[0xc3], (ENTERED, false)),
        (&[0x48, 0x8b, 0xe5, 0x5d], &[0x59], (ENTERED, false)),
        (&[], &[0xc2, 0x10, 0x00], (ENTERED, false)),
    ] {
        assert_eq!(left_by(before, from), expected, "{before:x?} {from:x?}");
    }
}

#[test]
fn code_of_no_function_is_left_by_its_frame_pointer_if_it_says_what_it_is() {
    let mut words = memory();
    put(&mut words, 20, OF_STUB, (at(2), 30));
    let walked = Begin::default().walk(words.clone());
    assert_eq!(shown(&walked), ["made", "0x200"]);
    // An odd word that is no pointer, and no type of a frame.
    for context in [3, 500] {
        words[19] = context;
        let walked = Begin::default().walk(words.clone());
        assert_eq!(shown(&walked)[0], "made?", "{context}");
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    type Damage = fn(&mut [u64]);
    let damages: [Damage; 6] = [
        |words| words[FUNCTION + 3] = small(3),
        |words| words[FUNCTION + 3] = (1 << 40) + 1,
        |words| words[SHARED + 4] = 0,
        |words| words[SCRIPT] = (1 << 40) + 1,
        |words| words[SCRIPT_MAP + 1] = 0,
        |words| words[18] = 12,
    ];
    for (index, damage) in damages.iter().enumerate() {
        let mut words = memory();
        put(&mut words, 20, OF_SCRIPT, (at(2), 30));
        damage(&mut words);
        let walked = Begin::default().walk(words.clone());
        assert_eq!(shown(&walked), ["unread?", "0x200"], "{index}");
        // In the engine's own code it may as well be a function of the library.
        let walked = Begin { pc: at(0), ..Begin::default() }.walk(words);
        let is_library = index == 4;
        assert_eq!(shown(&walked)[0], if is_library { "0x0" } else { "0x0?" }, "{index}");
    }
    // An engine that nobody has told of.
    let mut words = memory();
    put(&mut words, 20, OF_SCRIPT, (at(2), 30));
    let walked = Begin { damage: |_| {}, ..Begin::default() }.walk(words);
    assert_eq!(shown(&walked)[0], "made?");
}
