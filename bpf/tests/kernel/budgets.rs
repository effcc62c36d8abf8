//! Bounds: what the verifier has to look at, and memory of tables and mappings.

use infrared_bpf::{
    ImageTable, KernelConfig, MappingBlock, PageRows, ProcessMaps, TableError,
    abi::{IR_IMAGE_FIRST, IR_PROCESS_KNOWN, IR_RULE_ROOT, ir_mapping, ir_row, ir_rule},
};
use libbpf_rs::query::ProgInfoIter;

use crate::{
    session::{Session, config},
    support::images::Images,
};

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

/// One page of rows that all end the stack.
fn insert(session: &mut Session, image: u32, rows: usize) -> Result<Vec<u32>, TableError> {
    let row = |address_low| ir_row { address_low, rule: 0 };
    let rows: Vec<_> = (0..=u16::MAX).map(row).take(rows).collect();
    let rules = [ir_rule { kind: IR_RULE_ROOT as u8, ..ir_rule::default() }];
    let pages = [PageRows { page: 1, first: 0, count: rows.len() }];
    session.kernel.tables.insert(image, ImageTable { pages: &pages, rows: &rows, rules: &rules })
}

#[test]
fn the_image_that_was_not_used_for_longest_makes_room() {
    const SLAB: usize = 512 << 10;
    let (mut session, mut subject) =
        Session::with_subject(&KernelConfig { table_budget_bytes: SLAB, ..config() });
    let mut images = Images::default();
    let block = session.load_tables(&mut images, &subject);
    session.kernel.processes.publish(subject.pid(), &block).unwrap();
    subject.tell("burn 50");
    let executable = block.mappings[0].image;
    let before = session.kernel.tables.usage();
    let (first, second) = (IR_IMAGE_FIRST + 1000, IR_IMAGE_FIRST + 1001);
    assert!(insert(&mut session, first, 60_000).unwrap().is_empty());
    // The image just loaded has not been looked up, those of the subject have: the executable among them.
    let evicted = insert(&mut session, second, 65_536).unwrap();
    let tables = &session.kernel.tables;
    assert!(evicted.contains(&first), "{evicted:?}");
    assert!(!tables.contains(first) && tables.contains(second));
    assert!(tables.contains(executable) && !evicted.contains(&executable));
    let usage = tables.usage();
    assert_eq!((usage.slab_bytes, usage.evicted_images), (SLAB, evicted.len() as u64));
    assert_eq!(usage.images, before.images + 2 - evicted.len());
    assert!(usage.rows <= (SLAB >> 2) && usage.rows >= 65_536, "{usage:?}");
    // The kernel still unwinds with what was left.
    drop(session.take());
    session.kernel.next_window().unwrap();
    subject.tell("burn 50");
    assert!(session.take().stacks.iter().all(|stack| !stack.frames.is_empty()));
}

#[test]
fn a_table_larger_than_the_budget_is_refused_and_evicts_nothing() {
    let mut session = Session::load(&KernelConfig { table_budget_bytes: 100_000, ..config() });
    assert!(insert(&mut session, IR_IMAGE_FIRST, 1000).unwrap().is_empty());
    let refused = insert(&mut session, IR_IMAGE_FIRST + 1, 60_000);
    assert!(matches!(refused, Err(TableError::OverBudget)), "{refused:?}");
    assert!(session.kernel.tables.contains(IR_IMAGE_FIRST));
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
