//! Frames of `HotSpot`, in made-up memory: code that it made, at every point of its way in and out, and methods that it interprets.

use std::sync::atomic::{AtomicU32, Ordering};

use infrared_abi::{
    IR_FRAME_LOW_CONFIDENCE, IR_HOTSPOT_INTERPRETED, IR_IMAGE_NONE, IR_PROCESS_MAKES_CODE,
    IR_STOP_COMPLETE, RuntimeId, ir_frame, ir_hotspot_heaps, ir_hotspot_state, ir_mapping,
};

use crate::{
    driver::{Environment, Script, Walked},
    stops::{Case, ROOT, STACK, at},
};

const WORDS: usize = 1024;
const SEGMENT: u64 = 128;
const SEGMENTS: usize = 32;
const HEADER: u64 = 8;
/// Words of the memory: where the code cache is, its map of segments, texts, and what a method is.
const HEAP: usize = 256;
const MAP: usize = 800;
const NAMES: usize = 820;
const METHOD: usize = 840;
const CONST_METHOD: usize = 850;
const BYTECODES: u64 = 56;
/// From the start of a blob.
const CODE: u64 = 64;
const COMPLETE: u64 = 16;
const FRAME_WORDS: u64 = 4;
const ID: u64 = 77;

fn address(word: usize) -> u64 {
    STACK + word as u64 * 8
}

fn state() -> ir_hotspot_state {
    // The second of four.
    let heaps = ir_hotspot_heaps {
        start: [0, address(HEAP), 0, 0],
        segments: [0, address(MAP), 0, 0],
        bytes: [0, SEGMENTS as u32 * SEGMENT as u32, 0, 0],
    };
    ir_hotspot_state {
        heaps,
        continuation: blob(0) + CODE + 40,
        call_stub: blob(12) + CODE + 8,
        present: 1,
        segment_shift: 7,
        block_header: HEADER as u8,
        name: 0,
        frame_words: 8,
        frame_complete: 12,
        code: 16,
        compile_id: 24,
        const_method: 8,
        code_size: 32,
        bytecodes: BYTECODES as u16,
        bytecode_is_higher: 0,
        reserved: [0; 5],
    }
}

/// The blob in the block that begins at a segment.
fn blob(segment: u64) -> u64 {
    address(HEAP) + segment * SEGMENT + HEADER
}

/// Memory as bytes, at runtime addresses.
struct Memory(Vec<u8>);

impl Memory {
    fn put(&mut self, address: u64, bytes: &[u8]) {
        let at = (address - STACK) as usize;
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn word(&mut self, address: u64, word: u64) {
        self.put(address, &word.to_ne_bytes());
    }

    /// A block of so many segments with a blob.
    fn block(&mut self, segment: u64, segments: u64, (name, frame_words): (&str, u64)) {
        for number in 0..segments {
            self.put(address(MAP) + segment + number, &[number.min(3) as u8]);
        }
        let text = address(NAMES) + segment;
        let mut name = name.as_bytes().to_vec();
        name.resize(8, 0);
        // Texts may overlap in their zeros: each is as long as what is compared.
        self.put(text + segment * 8, &name);
        let at = blob(segment);
        self.word(at, text + segment * 8);
        self.word(at + 8, frame_words | COMPLETE << 32);
        self.word(at + 16, at + CODE);
        self.word(at + 24, ID);
    }
}

/// A compiled method of eight segments, the interpreter, and a stub that calls, of four each.
fn memory() -> Memory {
    let mut memory = Memory(vec![0; WORDS * 8]);
    memory.put(address(MAP), &[0xff; SEGMENTS]);
    memory.block(0, 8, ("nmethod", FRAME_WORDS));
    memory.block(8, 4, ("Interpre", 0));
    memory.block(12, 4, ("StubRout", 0));
    memory.word(address(METHOD) + 8, address(CONST_METHOD));
    // 10 bytes of bytecode, and the indexes of name and signature.
    memory.word(address(CONST_METHOD) + 32, 0xa | 5 << 16 | 6 << 32);
    memory
}

fn walk(memory: &Memory, pc: u64, rbp: u64, damage: fn(&mut Environment)) -> Walked {
    // Tests run side by side, and a script is a file.
    static SCRIPTS: AtomicU32 = AtomicU32::new(0);
    let number = SCRIPTS.fetch_add(1, Ordering::Relaxed);
    let words = memory.0.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    let case = Case { rules: vec![ROOT; 4], pc, rbp, words, damage, ..Case::default() };
    let mut script = Script::new(&format!("hotspot-{number}"));
    script.environment(&case.environment());
    script.walk(&case.start());
    script.run_walks().remove(0)
}

const MACHINE: fn(&mut Environment) = |it| {
    it.states.hot_spot = state();
    it.process.state |= IR_PROCESS_MAKES_CODE;
    let (start, end) = (address(HEAP), address(HEAP) + SEGMENTS as u64 * SEGMENT);
    it.mappings.push(ir_mapping { start, end, bias: 0, image: IR_IMAGE_NONE, reserved: 0 });
    it.process.count += 1;
};

fn is_of_java(frame: &ir_frame) -> bool {
    frame.kind() == RuntimeId::HotSpot as u32
}

/// By which of the return addresses on the stack the compiled method was left, which stands at `offset` in its code, amid these
/// bytes.
fn left_by(offset: u64, before: &[u8], from: &[u8]) -> u64 {
    let mut memory = memory();
    let pc = blob(0) + CODE + offset;
    memory.put(pc - before.len() as u64, before);
    memory.put(pc, from);
    // Entered; pushed; all of it there.
    memory.word(STACK, at(0));
    memory.word(STACK + 8, at(1));
    memory.word(STACK + (FRAME_WORDS - 1) * 8, at(2));
    let walked = walk(&memory, pc, 0, MACHINE);
    assert_eq!(walked.stop, IR_STOP_COMPLETE);
    let [java, caller] = walked.frames[..] else { panic!("{walked:?}") };
    assert!(is_of_java(&java) && !java.has(IR_FRAME_LOW_CONFIDENCE));
    assert_eq!((java.address(), u64::from(java.space)), (blob(0), ID));
    assert_eq!(u64::from(java.position), CODE + offset);
    (caller.address() - at(0)) / 0x100
}

#[test]
fn a_compiled_method_is_left_by_what_it_has_of_its_frame() {
    const ENTERED: u64 = 0;
    const PUSHED: u64 = 1;
    const BUILT: u64 = 2;
    const PUSH: [u8; 1] = [0x55];
    const MOVE: [u8; 3] = [0x48, 0x8b, 0xec];
    const SUBTRACT: [u8; 4] = [0x48, 0x83, 0xec, 0x10];
    const BARRIER: [u8; 8] = [0x41, 0x81, 0x7f, 0x20, 1, 0, 0, 0];
    const POLL: [u8; 4] = [0x49, 0x3b, 0x67, 0x28];
    // Before the frame is complete.
    for (before, from, expected) in [
        (&[][..], &[0x89, 0x84, 0x24, 0, 0xc0, 0xfe, 0xff][..], ENTERED),
        (&[], &PUSH, ENTERED),
        (&PUSH, &SUBTRACT, PUSHED),
        (&PUSH, &MOVE, PUSHED),
        (&MOVE, &SUBTRACT, PUSHED),
        (&[0x90], &SUBTRACT, ENTERED),
        (&SUBTRACT, &[0x48, 0x89, 0x6c, 0x24, 0x10], BUILT),
        (&SUBTRACT, &BARRIER, BUILT),
        (&BARRIER, &[0x0f, 0x85, 1, 2, 3, 4], BUILT),
    ] {
        assert_eq!(left_by(COMPLETE - 4, before, from), expected, "{before:x?} {from:x?}");
    }
    // And afterwards.
    for (before, from, expected) in [
        (&[][..], &[0x48, 0x83, 0xc4, 0x10, 0x5d][..], BUILT),
        (&[], &[0x5d], PUSHED),
        (&[0x5d], &POLL, ENTERED),
        (&POLL, &[0x0f, 0x87, 1, 2, 3, 4, 0xc3], ENTERED),
        (&[], &[0x49, 0x3b, 0xa7, 0x48, 3, 0, 0], ENTERED),
        (&[0x5d], &[0x85, 0x05, 1, 2, 3, 4, 0xc3], ENTERED),
        (&[], &[0x85, 0x05, 1, 2, 3, 4, 0x90], BUILT),
        (&[], &[0x4d, 0x8b, 0x97, 8, 1, 0, 0, 0x41, 0x85, 0x02, 0xc3], ENTERED),
        (&[], &[0x41, 0x85, 0x02, 0xc3], ENTERED),
        (&[], &[0xc3], ENTERED),
        // A push in the midst of a method is none of its frame.
        (&PUSH, &SUBTRACT, BUILT),
    ] {
        assert_eq!(left_by(COMPLETE + 400, before, from), expected, "{before:x?} {from:x?}");
    }
}

/// An interpreted frame with its frame pointer at a word, called by code at `caller`, which has a frame from `sender` on.
fn interpreted(memory: &mut Memory, fp: u64, bytecode: u64, (caller, sender): (u64, u64)) {
    memory.word(fp - 64, address(CONST_METHOD) + BYTECODES + bytecode);
    memory.word(fp - 24, address(METHOD));
    memory.word(fp - 8, sender);
    memory.word(fp, 0);
    memory.word(fp + 8, caller);
}

#[test]
fn an_interpreted_method_says_which_bytecode_it_runs_and_where_its_caller_s_frame_is() {
    let mut memory = memory();
    let (inner, outer) = (STACK + 80, STACK + 240);
    let in_interpreter = blob(8) + CODE + 4;
    // The outer one was called by a compiled one, whose frame begins further up: arguments were put between.
    interpreted(&mut memory, inner, 3, (in_interpreter, inner + 16));
    memory.word(inner, outer);
    interpreted(&mut memory, outer, 9, (blob(0) + CODE + 300, outer + 48));
    memory.word(outer + 48 + (FRAME_WORDS - 1) * 8, at(3));
    let walked = walk(&memory, in_interpreter, inner, MACHINE);
    assert_eq!(walked.stop, IR_STOP_COMPLETE, "{walked:?}");
    let positions: Vec<u32> = walked.frames.iter().map(|frame| frame.position).collect();
    let compiled = (CODE + 300) as u32;
    let expected = [IR_HOTSPOT_INTERPRETED | 3, IR_HOTSPOT_INTERPRETED | 9, compiled, 0];
    assert_eq!(positions, expected);
    assert_eq!(walked.frames[0].address(), address(METHOD));
    assert_eq!(walked.frames[0].space, walked.frames[1].space, "both run one method");
    assert_eq!(walked.frames[3].address(), at(3));
    assert!(walked.frames[..3].iter().all(is_of_java) && walked.anonymous);
}

#[test]
fn the_stub_that_calls_leads_back_to_native_code_and_others_are_a_guess() {
    let mut memory = memory();
    let fp = STACK + 160;
    memory.word(STACK + (FRAME_WORDS - 1) * 8, state().call_stub);
    memory.word(STACK + (FRAME_WORDS - 2) * 8, fp);
    memory.word(fp + 8, at(1));
    let walked = walk(&memory, blob(0) + CODE + 200, 0, MACHINE);
    assert_eq!(walked.stop, IR_STOP_COMPLETE);
    assert_eq!(walked.frames.len(), 3, "{walked:?}");
    assert!(walked.frames.iter().all(|frame| !frame.has(IR_FRAME_LOW_CONFIDENCE)));
    let walked = walk(&memory, blob(12) + CODE + 40, fp, MACHINE);
    assert!(is_of_java(&walked.frames[0]) && walked.frames[0].has(IR_FRAME_LOW_CONFIDENCE));
}

#[test]
fn a_word_that_was_pushed_below_a_frame_does_not_hide_its_caller() {
    let caller = blob(0) + CODE + 300;
    for pushed in 0..=2 {
        let mut memory = memory();
        memory.word(STACK + (FRAME_WORDS - 1 + pushed) * 8, caller);
        memory.word(STACK + (2 * FRAME_WORDS - 1 + pushed) * 8, at(2));
        let walked = walk(&memory, blob(0) + CODE + 200, 0, MACHINE);
        let addresses: Vec<u64> = walked.frames.iter().map(ir_frame::address).collect();
        assert_eq!((walked.stop, addresses), (IR_STOP_COMPLETE, vec![blob(0), blob(0), at(2)]));
    }
}

#[test]
fn a_stub_is_left_by_the_return_address_of_a_call_into_it() {
    let fp = STACK + 160;
    let (stub, after) = (blob(12) + CODE + 40, blob(0) + CODE + 105);
    // By rbp; with nothing of its own on the stack, while rbp leads to what has called its caller; and with some registers pushed.
    let places = [
        (fp + 8, fp, fp + 16),
        (STACK, fp, STACK + 8),
        (STACK + 8, 0, STACK + 16),
        (STACK + 32, 0, STACK + 40),
    ];
    for (number, (slot, rbp, sp_after)) in places.into_iter().chain(places).enumerate() {
        let mut memory = memory();
        let entry = blob(12) + CODE;
        if number < places.len() {
            memory.put(after - 5, &[0xe8]);
            memory.put(after - 4, &(entry as u32).wrapping_sub(after as u32).to_le_bytes());
        } else {
            memory.put(after - 13, &[0x49, 0xba]);
            memory.put(after - 11, &entry.to_le_bytes());
            memory.put(after - 3, &[0x41, 0xff, 0xd2]);
        }
        memory.word(fp + 8, at(3));
        memory.word(slot, after);
        memory.word(sp_after + (FRAME_WORDS - 1) * 8, at(1));
        let walked = walk(&memory, stub, rbp, MACHINE);
        assert_eq!(walked.stop, IR_STOP_COMPLETE, "{slot:x}");
        let addresses: Vec<u64> = walked.frames.iter().map(ir_frame::address).collect();
        assert_eq!(addresses, [blob(12), blob(0), at(1)]);
        assert!(walked.frames.iter().all(|frame| !frame.has(IR_FRAME_LOW_CONFIDENCE)));
    }
}

#[test]
fn behind_a_virtual_thread_s_barrier_is_what_has_entered_it() {
    let mut memory = memory();
    let (barrier, after_call) = (blob(12) + CODE + 20, blob(12) + CODE + 30);
    memory.put(after_call - 2, &[0xff, 0xd0]);
    for (returns_to, is_barrier) in [(barrier, true), (after_call, false)] {
        // The innermost method, and the frame that entered the thread, which is of the same size here.
        memory.word(STACK + (FRAME_WORDS - 1) * 8, returns_to);
        memory.word(STACK + (2 * FRAME_WORDS - 1) * 8, at(1));
        let walked = walk(&memory, blob(0) + CODE + 200, 0, MACHINE);
        let guessed = walked.frames[1].has(IR_FRAME_LOW_CONFIDENCE);
        assert_eq!(guessed, !is_barrier, "{walked:?}");
        if is_barrier {
            let addresses: Vec<u64> = walked.frames.iter().map(ir_frame::address).collect();
            assert_eq!(addresses, [blob(0), blob(12), blob(0), at(1)]);
            assert_eq!(walked.stop, IR_STOP_COMPLETE);
        }
    }
}

#[test]
fn an_adapter_is_on_the_way_from_a_call_and_has_no_frame() {
    for name in ["vtable c", "I2C/C2I ", "MethodHa"] {
        let mut memory = memory();
        memory.block(16, 4, (name, 0));
        memory.word(STACK, at(2));
        let walked = walk(&memory, blob(16) + CODE + 5, 0, MACHINE);
        assert_eq!(walked.stop, IR_STOP_COMPLETE, "{name}");
        assert_eq!(walked.frames[1].address(), at(2));
        assert!(!walked.frames[0].has(IR_FRAME_LOW_CONFIDENCE));
    }
}

#[test]
fn what_cannot_be_told_of_a_machine_is_native_code_that_nobody_knows() {
    type Damage = fn(&mut Memory);
    let damages: [Damage; 5] = [
        // Nothing begins there; a map that leads before its start; a name that is nowhere; a frame without an end.
        |memory| memory.put(address(MAP) + 4, &[0xff]),
        |memory| memory.put(address(MAP) + 1, &[200]),
        |memory| memory.word(blob(0), 1 << 40),
        |memory| memory.word(blob(0) + 8, 0x7fff_ffff | COMPLETE << 32),
        |memory| memory.put(address(MAP), &[0x80; SEGMENTS]),
    ];
    for (index, damage) in damages.iter().enumerate() {
        let mut memory = memory();
        damage(&mut memory);
        let walked = walk(&memory, blob(4) + CODE, 0, MACHINE);
        assert_ne!(walked.stop, IR_STOP_COMPLETE, "{index}: {walked:?}");
    }
    // A method whose memory is gone.
    let mut memory = memory();
    interpreted(&mut memory, STACK + 80, 3, (at(3), STACK + 96));
    memory.word(STACK + 80 - 24, 1 << 40);
    let walked = walk(&memory, blob(8) + CODE + 4, STACK + 80, MACHINE);
    assert!(walked.frames[0].has(IR_FRAME_LOW_CONFIDENCE), "{walked:?}");
    // A machine that nobody has told of.
    let walked = walk(&memory, blob(0) + CODE + 200, 0, |_| {});
    assert!(!walked.frames.iter().any(is_of_java));
}
