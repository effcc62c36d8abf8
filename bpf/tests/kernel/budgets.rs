//! Bounds: what the verifier has to look at, and memory of mappings.

use infrared_bpf::{
    MappingBlock, ProcessMaps,
    abi::{IR_PROCESS_KNOWN, ir_mapping},
};
use libbpf_rs::query::ProgInfoIter;

use crate::session::{Session, config};

/// Program, and the most instructions that the verifier may look at: a million is the kernel's own limit. README.md
/// has what was measured; the slack is for other kernels' verifiers.
const VERIFIER_BUDGETS: [(&str, u32); 4] =
    [("ir_on_cpu", 60_000), ("ir_fork", 200), ("ir_exec", 300), ("ir_exit", 100)];

#[test]
fn the_verifier_looks_at_no_more_instructions_than_budgeted() {
    let session = Session::load(&config());
    for (name, budget) in VERIFIER_BUDGETS {
        let looked_at = ProgInfoIter::default()
            .filter(|program| program.name == name)
            .max_by_key(|program| program.id)
            .unwrap_or_else(|| panic!("{name} is loaded"))
            .verified_insns;
        println!("{name}: {looked_at} of {budget}");
        assert!((1..=budget).contains(&looked_at), "{name}: {looked_at} of {budget}");
    }
    drop(session);
}

/// Above the largest pid: no real process is touched.
const FIRST: u32 = 1 << 23;

#[test]
fn thousands_of_processes_come_and_go_in_bounded_memory() {
    let mut session = Session::load(&config());
    let mapping =
        |i: u64| ir_mapping { start: i << 16, end: (i + 1) << 16, image: 20, ..Default::default() };
    let processes: &mut ProcessMaps = &mut session.kernel.processes;
    let block = MappingBlock {
        mappings: (1..=60).map(mapping).collect(),
        state: IR_PROCESS_KNOWN,
        ..MappingBlock::default()
    };
    let mut high = 0;
    for pid in FIRST..FIRST + 20_000 {
        processes.publish(pid, &block).unwrap();
        processes.publish(pid, &block).unwrap();
        processes.remove(pid);
        assert!(!processes.is_published(pid));
        high = high.max(processes.slab_bytes());
    }
    println!("at most {} KiB of mappings", high >> 10);
    assert!(high <= 16 << 20, "{high} bytes");
    let all = MappingBlock { mappings: (1..=8193u64).map(mapping).collect(), ..block };
    assert!(processes.publish(FIRST, &all).is_err(), "more than a process can have");
}
