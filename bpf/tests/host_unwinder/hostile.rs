//! Tables, mappings and stacks that lie: no access outside, no walk without end. The sanitizers and the driver's own
//! checks judge; what the frames are does not matter here.

use infrared_abi::{
    IR_MAX_USER_FRAMES, IR_RULE_FRAME_POINTER, IR_STOP_BAD_FRAME_POINTER, IR_STOP_GO_STATE,
    IR_STOP_LOOKUP_FAILED, IR_STOP_MAX_FRAMES, IR_STOP_NO_CFI, IR_STOP_NO_MAPPING,
    IR_STOP_NO_PROGRESS, IR_STOP_NO_TABLE, IR_STOP_REGISTER_LOST, IR_STOP_STACK_UNREADABLE,
    IR_STOP_UNSUPPORTED_RULE, ir_rule, stop_reason_text,
};

use crate::{
    driver::{Environment, Script},
    stops::{CODE, Case, LEAF, STACK},
};

type Lie = (&'static str, fn(&mut Environment));

const LIES: &[Lie] = &[
    ("rows begin outside of the slab", |e| e.pages[0].1.first = u32::MAX),
    ("rows end outside of the slab", |e| {
        (e.pages[0].1.first, e.pages[0].1.count) = ((1 << 17) - 1, 65536);
    }),
    ("more rows than there are numbers", |e| e.pages[0].1.count = u32::MAX),
    ("slab out of range", |e| e.pages[0].1.slab = u32::MAX),
    ("rule out of range", |e| e.slabs[0].iter_mut().for_each(|row| row.rule = u16::MAX)),
    ("rows out of order", |e| e.slabs[0].reverse()),
    ("mappings begin outside of the slab", |e| e.process.first = u32::MAX),
    ("more mappings than fit", |e| e.process.count = u32::MAX),
    ("mapping slab out of range", |e| e.process.slab = u32::MAX),
    ("mapping without end", |e| (e.mappings[0].start, e.mappings[0].end) = (0, u64::MAX)),
    ("mapping inside out", |e| (e.mappings[0].start, e.mappings[0].end) = (u64::MAX, 0)),
    ("bias out of range", |e| e.mappings[0].bias = 1 << 63),
    ("mapping of no image", |e| e.mappings[0].image = u32::MAX),
    ("register out of range", |e| e.rules[0].cfa_reg = u8::MAX),
    ("CFA past the end of memory", |e| e.rules[0].cfa_offset = i32::MAX),
    ("CFA before the start of memory", |e| e.rules[0].cfa_offset = i32::MIN),
    ("slot of no meaning", |e| e.rules[0].ra_slot = 0x6fff),
    ("slot far below", |e| e.rules[0].ra_slot = -4096),
    ("every slot beyond", |e| (e.rules[0].fp_slot, e.rules[0].rbx_slot) = (i16::MIN, i16::MIN)),
];

#[test]
fn lying_tables_are_survived() {
    let mut script = Script::new("lies");
    for (name, damage) in LIES {
        let words = vec![CODE + 0x10; 64];
        let case = Case { name, words, damage: *damage, ..Case::default() };
        script.environment(&case.environment());
        script.walk(&case.start());
    }
    assert_eq!(script.run_walks().len(), LIES.len());
}

/// A table's own frame pointer rule may change stacks, so going up is no proof of an end.
#[test]
fn a_circle_of_frame_pointers_ends_at_the_frame_limit() {
    let rules = vec![ir_rule { kind: IR_RULE_FRAME_POINTER as u8, ..LEAF }];
    let words = vec![STACK + 16, CODE + 0x10, STACK, CODE + 0x10];
    let case = Case { name: "circle", rules, rbp: STACK, words, ..Case::default() };
    let mut script = Script::new("circle");
    script.environment(&case.environment());
    script.walk(&case.start());
    let walked = script.run_walks().remove(0);
    assert_eq!(
        (walked.stop, walked.frames.len()),
        (IR_STOP_MAX_FRAMES, IR_MAX_USER_FRAMES as usize)
    );
}

/// A hundred thousand walks or so: seconds.
const ROUNDS: u64 = 1500;

#[test]
fn random_tables_registers_and_stacks_are_survived() {
    let mut script = Script::new("fuzz");
    script.fuzz(0x1f2e_3d4c_5b6a_7988, ROUNDS);
    let counts: Vec<(u32, u64)> = script
        .run()
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(reason, count)| (reason.parse().unwrap(), count.parse().unwrap()))
        .collect();
    for reason in [
        IR_STOP_NO_MAPPING,
        IR_STOP_NO_TABLE,
        IR_STOP_NO_CFI,
        IR_STOP_UNSUPPORTED_RULE,
        IR_STOP_REGISTER_LOST,
        IR_STOP_STACK_UNREADABLE,
        IR_STOP_NO_PROGRESS,
        IR_STOP_BAD_FRAME_POINTER,
        IR_STOP_GO_STATE,
        IR_STOP_LOOKUP_FAILED,
    ] {
        let (_, count) = counts[reason as usize];
        assert!(count > 10, "{count} walks end with {}", stop_reason_text(reason));
    }
    let (_, plain_steps) = counts[infrared_abi::IR_STOP_COUNT as usize];
    assert!(plain_steps > 1000, "{plain_steps} steps were done both ways");
}
