//! Made-up stacks above code that has neither a table nor a frame pointer: which word is taken for the return address.

use infrared_abi::{
    IR_IMAGE_UNREADABLE, IR_RULE_NONE, IR_RULE_OFFSET, IR_STOP_COMPLETE, IR_STOP_NO_CFI,
    IR_STOP_NO_TABLE, ir_frame, ir_rule, stop_reason_text,
};

use crate::{
    driver::{Environment, Script},
    stops::{ANONYMOUS, CODE, Case, PENDING, ROOT, STACK, at, rule},
};

/// Functions by their rule: these have a word of their own, and are called in these ways.
const CALLS_ANY: u64 = 0;
const CALLS_STUB: u64 = 2;
const CALLS_FUNCTION: u64 = 3;
const CALLS_BY_GOT: u64 = 4;
const CALLS_JUMP: u64 = 5;
const CALLS_NOTHING: u64 = 6;
/// The root, which is called by a direct call.
const END: u64 = 1;
/// A function whose frame is by rbp, and one without a rule; they call anything.
const BY_FRAME: u64 = 7;
const WITHOUT_RULE: u64 = 8;
/// Where nothing is mapped.
const NOWHERE: u64 = 0x1234_5678;
const STUB: u64 = CODE + 0xe00;
const JUMP: u64 = CODE + 0xe80;
const GOT: u64 = CODE + 0xf00;

fn rules() -> Vec<ir_rule> {
    let own = rule(IR_RULE_OFFSET, 7, 16);
    let by_frame = ir_rule { fp_slot: -2, ..rule(IR_RULE_OFFSET, 6, 16) };
    vec![own, ROOT, own, own, own, own, own, by_frame, rule(IR_RULE_NONE, 0, 0)]
}

/// The bytes of an instruction with a displacement that leads from its end to `target`.
fn relative(opcode: &[u8], end: u64, target: u64) -> Vec<u8> {
    [opcode, &(target.wrapping_sub(end) as i32).to_le_bytes()].concat()
}

/// The code of the image, at `CODE`.
fn code() -> Vec<u8> {
    let mut code = vec![0x90; 0x1000];
    let mut put = |end: u64, bytes: &[u8]| {
        let end = (end - CODE) as usize;
        code[end - bytes.len()..end].copy_from_slice(bytes);
    };
    for any in [CALLS_ANY, BY_FRAME, WITHOUT_RULE] {
        put(at(any), &[0xff, 0xd0]);
    }
    for (from, to) in [(END, CODE), (CALLS_FUNCTION, CODE), (CALLS_STUB, STUB), (CALLS_JUMP, JUMP)]
    {
        put(at(from), &relative(&[0xe8], at(from), to));
    }
    put(at(CALLS_BY_GOT), &relative(&[0xff, 0x15], at(CALLS_BY_GOT), GOT));
    put(STUB + 10, &relative(&[0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25], STUB + 10, GOT));
    // mov %rdi, %rax; jmp *%rax
    put(JUMP + 5, &[0x48, 0x89, 0xf8, 0xff, 0xe0]);
    put(GOT + 8, &CODE.to_le_bytes());
    code
}

fn case(name: &'static str, words: Vec<u64>, frames: &[u64]) -> Case {
    let stop = if frames.is_empty() { IR_STOP_NO_CFI } else { IR_STOP_COMPLETE };
    let frames = [&[ANONYMOUS], frames].concat();
    Case { name, rules: rules(), pc: ANONYMOUS, rbp: 5, words, stop, frames, ..Case::default() }
}

/// What is found where words that look alike are below the return address.
fn decoys() -> Vec<Case> {
    let whole = &[at(CALLS_ANY), at(END)];
    let below = |name, decoys: &[u64]| {
        case(name, [decoys, &[9, at(CALLS_ANY), 9, at(END)]].concat(), whole)
    };
    vec![
        below("data", &[1, STACK, NOWHERE, u64::MAX]),
        below("a function's entry", &[CODE, CODE + 0x100]),
        below("code that no call is before", &[at(CALLS_NOTHING)]),
        below("a call of another function", &[at(CALLS_FUNCTION)]),
        below("a call of another function by a stub", &[at(CALLS_STUB)]),
        below("a call of another function by the GOT", &[at(CALLS_BY_GOT)]),
        below("the code itself", &[ANONYMOUS + 0x40]),
        below("a call of anything, called by nobody", &[at(CALLS_ANY), 9, NOWHERE]),
        below("a call of anything, above a zero", &[at(CALLS_ANY), 9, 0]),
        below("a call of anything, above a function", &[at(CALLS_ANY), 9, CODE + 0x100]),
        below("a call of anything, two deep", &[at(CALLS_ANY), 9, at(CALLS_FUNCTION), 9, NOWHERE]),
    ]
}

/// Callers that need more than a word.
fn callers() -> Vec<Case> {
    let end = at(END);
    vec![
        case("none", vec![1, 2, 3, 4], &[]),
        case("beyond what is searched", [vec![0; 256], vec![at(CALLS_ANY), 9, end]].concat(), &[]),
        case(
            "a function that jumps where it is told",
            vec![9, at(CALLS_JUMP), 9, end],
            &[at(CALLS_JUMP), end],
        ),
        // Nothing speaks for a caller without a rule, and nothing above it is looked at.
        case("a caller without a rule", vec![at(WITHOUT_RULE), at(CALLS_ANY), 9, end], &[]),
        Case {
            stop: IR_STOP_NO_TABLE,
            ..case("a caller that is being read", vec![PENDING + 0x10], &[PENDING + 0x10])
        },
        Case {
            damage: |environment: &mut Environment| {
                environment.mappings[2].image = IR_IMAGE_UNREADABLE;
            },
            ..case("a caller of which there is no table", vec![PENDING + 0x10], &[])
        },
    ]
}

/// A left over return address whose caller is found where the code's own is: its function's bytes of the stack tell.
fn ambiguous() -> Vec<Case> {
    let (any, other, end) = (at(CALLS_ANY), at(CALLS_FUNCTION), at(END));
    let words = vec![9, any, 9, other, 9, other, 9, any, 9, end];
    let case = |name, pc, frames: &[u64]| Case {
        pc,
        frames: [&[pc], frames].concat(),
        ..case(name, words.clone(), frames)
    };
    vec![
        case("above what the code keeps for itself", AFTER_SUB, &[any, end]),
        case("before it keeps anything", BEFORE_SUB, &[any, other, other, any, end]),
        case("where it has given it back", AT_POP, &[any, other, other, any, end]),
        case("where nothing is kept", NO_SUB, &[any, other, other, any, end]),
    ]
}

/// Places in the code without a table, beginning with one before which it keeps nothing.
const NO_SUB: u64 = ANONYMOUS + 0x400;
const BEFORE_SUB: u64 = ANONYMOUS + 0x7f8;
const AFTER_SUB: u64 = ANONYMOUS + 0xc00;
const AT_POP: u64 = ANONYMOUS + 0xc80;

/// The code without a table: `sub $0x30, %rsp`, and far behind it `pop %rbx`.
fn undescribed_code() -> Vec<u8> {
    let mut code = vec![0x90; 0x1000];
    code[0x800..0x807].copy_from_slice(&[0x48, 0x81, 0xec, 0x30, 0, 0, 0]);
    code[0xc80] = 0x5b;
    code
}

/// What rbp may be.
fn frame_pointers() -> Vec<Case> {
    let end = at(END);
    let (frame, whole) = (STACK + 0x28, &[at(CALLS_ANY), end]);
    vec![
        // pushed: 9, rbp, 9
        case(
            "a frame by a frame pointer that was pushed",
            vec![9, frame, 9, at(BY_FRAME), 9, 0, end],
            &[at(BY_FRAME), end],
        ),
        Case {
            rbp: STACK + 0x18,
            ..case(
                "a frame by a frame pointer that was left alone",
                vec![9, at(BY_FRAME), 9, 0, end],
                &[at(BY_FRAME), end],
            )
        },
        // rbp leads to the frame of a function that an executable's code has called.
        Case {
            rbp: STACK + 0x20,
            ..case(
                "below a frame that is not its own",
                vec![9, at(CALLS_FUNCTION), at(BY_FRAME), 9, 0, at(CALLS_FUNCTION), 9, end],
                &[at(BY_FRAME), at(CALLS_FUNCTION), end],
            )
        },
        Case {
            rbp: STACK + 8,
            ..case(
                "no call below a frame of an executable's function",
                vec![9, 0, at(CALLS_FUNCTION), 9, end],
                &[at(CALLS_FUNCTION), end],
            )
        },
        Case {
            rbp: STACK + 8,
            ..case("a frame of its own", vec![at(CALLS_ANY), 0, at(CALLS_ANY), 9, end], whole)
        },
        Case {
            rbp: STACK,
            ..case("a frame pointer that leads to a zero", vec![9, 0, at(CALLS_ANY), 9, end], whole)
        },
        Case {
            rbp: STACK,
            stop: IR_STOP_COMPLETE,
            ..case("a frame pointer that leads to the end", vec![0, 0], &[])
        },
    ]
}

#[test]
fn the_caller_is_a_word_that_calls_led_to_and_from_which_tables_lead_on() {
    let cases: Vec<_> =
        decoys().into_iter().chain(callers()).chain(frame_pointers()).chain(ambiguous()).collect();
    let mut script = Script::new("searched");
    for case in &cases {
        script.environment(&case.environment());
        let mut start = case.start();
        // Zeros above the words, as far as the search goes.
        start.regions[0].1.resize(4096, 0);
        start.regions.push((CODE, code()));
        start.regions.push((ANONYMOUS, undescribed_code()));
        start.regions.push((PENDING, [&[0x90; 14][..], &[0xff, 0xd0, 0x90, 0x90]].concat()));
        script.walk(&start);
    }
    for (case, walked) in cases.iter().zip(script.run_walks()) {
        let addresses: Vec<_> = walked.frames.iter().map(ir_frame::address).collect();
        assert_eq!(
            (stop_reason_text(walked.stop), addresses),
            (stop_reason_text(case.stop), case.frames.clone()),
            "{}",
            case.name
        );
    }
}

#[test]
fn without_its_code_nothing_is_taken_for_a_return_address() {
    let unread = case("", vec![9, at(CALLS_ANY), 9, at(END)], &[]);
    let mut script = Script::new("searched_unread");
    script.environment(&unread.environment());
    script.walk(&unread.start());
    let walked = script.run_walks();
    assert_eq!((walked[0].stop, walked[0].frames.len()), (IR_STOP_NO_CFI, 1));
}
