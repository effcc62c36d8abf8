//! Copies of stacks come from a pool: what happens while all of it is in use, and afterwards.

use infrared_bpf::abi::{IR_STAT_LOST_RING_FULL, IR_STAT_UNCOPIED, IR_STOP_NOT_READY};
use libbpf_rs::query::{MapInfo, MapInfoIter};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use crate::session::{Session, config};

/// The pool of our session, and of nobody else who samples this machine: this process has it open.
fn pool() -> MapHandle {
    let own: Vec<u32> = std::fs::read_dir("/proc/self/fdinfo")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
        .filter_map(|info| {
            info.lines().find_map(|line| line.strip_prefix("map_id:")?.trim().parse().ok())
        })
        .collect();
    let is_ours = |map: &MapInfo| map.name == "ir_copies" && own.contains(&map.id);
    MapHandle::from_map_id(MapInfoIter::default().find(is_ours).unwrap().id).unwrap()
}

/// Says of all buffers that somebody fills them, or nobody: the first word (`ir_copy.is_taken` of `programs/maps.h`).
fn set_taken(pool: &MapHandle, is_taken: u64) {
    for index in 0..pool.max_entries() {
        let mut value = vec![0; pool.value_size() as usize];
        value[..8].copy_from_slice(&is_taken.to_ne_bytes());
        pool.update(&index.to_ne_bytes(), &value, MapFlags::ANY).unwrap();
    }
}

#[test]
fn without_a_buffer_a_sample_is_sent_as_far_as_it_is_known_and_counted() {
    // Nobody tells the kernel side of the subject's mappings: each of its samples wants to be copied.
    let (mut session, mut subject) = Session::with_subject(&config());
    let pool = pool();
    set_taken(&pool, 1);
    subject.tell("burn 100");
    let taken = session.take();
    let reasons: Vec<_> = taken.stacks.iter().map(|stack| stack.stop_reason).collect();
    assert_eq!(reasons, [IR_STOP_NOT_READY]);
    assert!(taken.deferred.is_empty() && !taken.samples.is_empty());
    assert_eq!(session.stat(IR_STAT_UNCOPIED), taken.samples.len() as u64);
    set_taken(&pool, 0);
    subject.tell("burn 100");
    assert!(!session.take().deferred.is_empty(), "right again at once");
    assert_eq!(session.stat(IR_STAT_LOST_RING_FULL), 0);
}
