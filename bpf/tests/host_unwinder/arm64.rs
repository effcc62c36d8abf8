//! What can be said of arm64 without such a machine: the programs compile for it, and its steps, which are arithmetic
//! on captured memory, go right on made-up stacks and survive hostile ones. In a kernel they never ran.

use std::{env, path::Path};

use infrared_abi::{
    IR_RULE_FRAME_POINTER, IR_RULE_OFFSET, IR_RULE_SIGNAL, IR_SLOT_REGISTER, IR_STOP_COMPLETE,
    IR_STOP_NO_PROGRESS, IR_STOP_REGISTER_LOST, ir_frame, ir_rule, stop_reason_text,
};

use crate::{
    driver::{Processor, Script},
    stops::{Case, ROOT, STACK, at, rule},
    support::{compile, root, scratch},
};

#[test]
fn the_programs_compile_for_arm64() {
    // libbpf's headers, unpacked beside this crate's own output by its build.
    let libbpf = Path::new(env!("OUT_DIR")).ancestors().nth(2).unwrap();
    let libbpf = std::fs::read_dir(libbpf)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("out/include"))
        .find(|include| include.join("bpf/bpf_helpers.h").exists())
        .expect("libbpf-sys was built");
    for name in ["on_cpu", "process_events"] {
        let source = root().join(format!("programs/{name}.bpf.c"));
        let output = scratch().join(format!("{name}.arm64.bpf.o"));
        let mut arguments: Vec<String> = ["-g", "-O2", "-target", "bpf", "-mcpu=v3", "-std=gnu11"]
            .into_iter()
            .chain(["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-function"])
            .chain(["-D__TARGET_ARCH_arm64", "-c", "-o"])
            .map(String::from)
            .collect();
        arguments.extend([output.display().to_string(), source.display().to_string()]);
        for include in ["tests/arm64_headers", "abi/include", "unwind"] {
            arguments.push(format!("-I{}", root().join(include).display()));
        }
        arguments.push(format!("-I{}", libbpf.display()));
        compile(&env::var("CLANG").unwrap_or_else(|_| "clang".into()), arguments);
    }
}

/// Numbers of registers as rules have them, and where `ir_registers` keeps them.
const SP: u8 = 31;
const FP: u8 = 29;
const LR: i16 = 30;
const KEPT_FP: usize = 13;
const KEPT_LR: usize = 14;
const KEPT_SP: usize = 15;

/// What pointer authentication may put above an address.
const SIGNATURE: u64 = 0x7f << 48;

/// (rules, words of the stack, addresses of the frames, stop); fp is the stack's start, lr is in code of rule 1.
type Row = (&'static str, Vec<ir_rule>, Vec<u64>, Vec<u64>, u32);

fn rows() -> Vec<Row> {
    let frameless =
        ir_rule { ra_slot: IR_SLOT_REGISTER as i16 | LR, ..rule(IR_RULE_OFFSET, SP, 0) };
    let saved = ir_rule { fp_slot: -4, ra_slot: -3, ..rule(IR_RULE_OFFSET, SP, 32) };
    let by_fp = ir_rule { fp_slot: -2, ra_slot: -1, ..rule(IR_RULE_OFFSET, FP, 16) };
    let chain = rule(IR_RULE_FRAME_POINTER, 0, 0);
    let mut interrupted = vec![0; 64];
    // x16 is 39 words above the ucontext's start; 15 registers on follow sp and pc.
    (interrupted[39 + 15], interrupted[39 + 16]) = (STACK + 60 * 8, at(1));
    vec![
        ("leaf", vec![frameless, ROOT], vec![0], vec![at(0), at(1)], IR_STOP_COMPLETE),
        (
            "signed return address in a frame",
            vec![frameless, saved, ROOT],
            vec![0, at(2) | SIGNATURE, 0, 0],
            vec![at(0), at(1), at(2)],
            IR_STOP_COMPLETE,
        ),
        (
            "frame found by fp",
            vec![by_fp, ROOT],
            vec![0, at(1) | SIGNATURE],
            vec![at(0), at(1)],
            IR_STOP_COMPLETE,
        ),
        (
            "chain of frame records",
            vec![chain, ROOT],
            vec![STACK + 32, at(0), 0, 0, 0, at(1)],
            vec![at(0), at(0), at(1)],
            IR_STOP_COMPLETE,
        ),
        (
            "signal",
            vec![rule(IR_RULE_SIGNAL, SP, 0), ROOT],
            interrupted,
            vec![at(0), at(1)],
            IR_STOP_COMPLETE,
        ),
        (
            "link register twice",
            vec![frameless, frameless],
            vec![0],
            vec![at(0), at(1)],
            IR_STOP_REGISTER_LOST,
        ),
        (
            "frame of no size",
            vec![rule(IR_RULE_OFFSET, SP, 0)],
            vec![0],
            vec![at(0)],
            IR_STOP_NO_PROGRESS,
        ),
        (
            "argument register as base",
            vec![rule(IR_RULE_OFFSET, 3, 8)],
            vec![0],
            vec![at(0)],
            IR_STOP_REGISTER_LOST,
        ),
    ]
}

#[test]
fn the_steps_of_arm64_find_callers() {
    let mut script = Script::with_steps_of(Processor::Arm64, "arm64");
    let rows = rows();
    for (name, rules, words, ..) in &rows {
        let case = Case { name, rules: rules.clone(), words: words.clone(), ..Case::default() };
        let mut start = case.start();
        start.registers.general = [0; 16];
        start.registers.general[KEPT_SP] = STACK;
        start.registers.general[KEPT_FP] = STACK;
        start.registers.general[KEPT_LR] = at(1);
        script.environment(&case.environment());
        script.walk(&start);
    }
    for ((name, _, _, frames, stop), walked) in rows.iter().zip(script.run_walks()) {
        let found: Vec<_> = walked.frames.iter().map(ir_frame::address).collect();
        assert_eq!(
            (stop_reason_text(walked.stop), &found),
            (stop_reason_text(*stop), frames),
            "{name}"
        );
    }
}

#[test]
fn the_steps_of_arm64_survive_random_stacks() {
    let mut script = Script::with_steps_of(Processor::Arm64, "arm64_fuzz");
    script.fuzz(0x0f1e_2d3c_4b5a_6978, 500);
    let output = script.run();
    let (last, plain_steps) = output.lines().last().unwrap().split_once(' ').unwrap();
    assert_eq!(last.parse::<usize>().unwrap(), infrared_abi::STOP_REASONS.len());
    assert_ne!(plain_steps, "0", "no step was done both ways");
}
