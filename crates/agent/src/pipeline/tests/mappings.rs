//! What the kernel side is told of mappings, and what of it is believed afterwards.

use std::time::{Duration, Instant};

use infrared_bpf::{
    Record, UserStack,
    abi::{
        IR_IMAGE_NONE, IR_PROCESS_SETTLED, IR_STOP_COMPLETE, IR_STOP_MAPPINGS_CHANGED,
        IR_STOP_NO_MAPPING, ir_frame, ir_sample,
    },
};

use super::world::World;
use crate::watch::ImageRef;

fn shop() -> World {
    let mut world = World::new();
    world.exec(10, 5, "/bin/server").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("shop")).turn(40);
    world
}

#[test]
fn a_mapping_is_told_of_when_the_process_runs_on() {
    let mut world = shop();
    assert_eq!(world.published.len(), 1);
    world.map(50, 5, 0x4000, "/lib/late.so").turn(60);
    assert_eq!(world.published.last().unwrap().1.mappings.len(), 2);
    world.turn(70);
    assert_eq!(world.published.len(), 2, "nothing is told twice");
}

#[test]
fn the_vdso_is_no_file_that_is_opened() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/server").map(12, 5, 0x7000, "[vdso]").sample(20, 5, 1).turn(30);
    let files = || world.asks.iter().flat_map(|ask| &ask.files);
    assert!(files().any(|mapping| *mapping.name == *b"/bin/server"), "{:?}", world.asks);
    assert!(files().all(|mapping| mapping.start != 0x7000), "{:?}", world.asks);
}

#[test]
fn the_vdso_is_known_at_once_to_processes_that_come_after_it_was_read() {
    let vdso = crate::reader::read_own_vdso();
    let mut world = World::with_vdso(Duration::from_secs(10), vdso);
    let image = |world: &World, pid| {
        let mappings = &world.pipeline.table.get(pid).unwrap().current().mappings;
        mappings.find(0x7000).unwrap().image
    };
    let is_placed = |image| matches!(image, ImageRef::Known { bias: Some(0x7000), .. });
    world.exec(10, 5, "/bin/server").sample(20, 5, 1).turn(30);
    world.map(35, 5, 0x7000, "[vdso]").answer(5, 33, Some("shop")).turn(40);
    let until = Instant::now() + Duration::from_secs(20);
    while !is_placed(image(&world, 5)) {
        assert!(Instant::now() < until, "{:?}", image(&world, 5));
        std::thread::sleep(Duration::from_millis(1));
        world.turn(40);
    }
    world.exec(50, 6, "/bin/brief").sample(60, 6, 50).turn(70);
    world.map(75, 6, 0x7000, "[vdso]").answer(6, 73, Some("brief")).turn(80);
    assert!(is_placed(image(&world, 6)), "{:?}", image(&world, 6));
}

#[test]
fn a_mapping_that_came_while_the_process_was_read_is_kept() {
    let mut world = World::new();
    world.sample(20, 5, 1).turn(30);
    world.map(35, 5, 0x4000, "/lib/late.so").turn(40);
    world.map(26, 5, 0x6000, "/lib/seen.so");
    world.answer(5, 33, Some("shop")).turn(50);
    let mappings = &world.pipeline.table.get(5).unwrap().current().mappings;
    assert!(mappings.find(0x1000).is_some(), "it was read");
    assert!(mappings.find(0x4000).is_some(), "it came after");
    assert!(mappings.find(0x6000).is_none(), "it was there when it was read, or gone");
}

#[test]
fn a_process_that_maps_without_end_while_it_is_read_is_asked_again() {
    let mut world = World::new();
    world.sample(20, 5, 1).turn(30);
    for round in 0..10_000 {
        world.map(40 + round, 5, 0x4000, "//anon");
    }
    world.turn(20_000).answer(5, 20_001, Some("shop")).turn(20_010);
    assert!(!world.pipeline.table.get(5).unwrap().current().is_complete);
    world.asks.clear();
    world.sample(20_020, 5, 1).turn(20_030);
    assert!(world.asks.iter().any(crate::reader::Ask::wants_mappings), "{:?}", world.asks);
    world.answer(5, 20_040, Some("shop")).turn(20_050);
    assert!(world.pipeline.table.get(5).unwrap().current().is_complete);
}

#[test]
fn memory_in_place_of_code_is_read_again_as_it_may_be_the_same_code() {
    let mut world = shop();
    world.asks.clear();
    world.map(50, 5, 0x1000, "//anon").sample(60, 5, 1).turn(70);
    assert!(world.asks.iter().any(|ask| ask.pid == 5 && ask.wants_mappings()), "{:?}", world.asks);
    world.answer(5, 75, Some("shop")).turn(80);
    world.asks.clear();
    world.map(90, 5, 0x8000, "//anon").sample(95, 5, 1).turn(100);
    assert!(world.asks.iter().all(|ask| !ask.wants_mappings()), "elsewhere it is a JIT's");
}

#[test]
fn a_root_that_leads_nowhere_is_asked_about_once() {
    let mut world = shop();
    world.tables.stop_reason = IR_STOP_NO_MAPPING;
    world.deferred(50, 5, 0).turn(60).turn(61);
    let state = world.published.last().unwrap().1.state;
    assert_ne!(state & IR_PROCESS_SETTLED, 0, "the kernel side need not ask again");
    world.map(70, 5, 0x4000, "/lib/late.so").turn(80);
    let state = world.published.last().unwrap().1.state;
    assert_eq!(state & IR_PROCESS_SETTLED, 0, "its mappings have changed");
}

fn sample_with_stack(world: &mut World, time_ns: u64, hash: u64, address: u64) {
    let frame = ir_frame::native(address, IR_IMAGE_NONE, 0);
    let frames = vec![frame];
    let (stop_reason, pid) = (IR_STOP_COMPLETE, 5);
    world.take(Record::UserStack(UserStack { hash, stop_reason, pid, frames }));
    let sample = ir_sample {
        pid,
        tid: 5,
        time_ns,
        start_time_ns: 1,
        user_stack: hash,
        ..ir_sample::default()
    };
    world.take(Record::Sample(sample));
}

#[test]
fn a_stack_through_code_that_was_replaced_is_not_believed_until_the_kernel_side_knows() {
    let mut world = shop();
    world.map(42, 5, 0x4000, "//anon").turn(45);
    world.map(50, 5, 0x4000, "/lib/other.so");
    // Before; after, and not told yet; the same elsewhere.
    sample_with_stack(&mut world, 48, 100, 0x4010);
    sample_with_stack(&mut world, 55, 101, 0x4020);
    sample_with_stack(&mut world, 56, 102, 0x1010);
    world.turn(60);
    sample_with_stack(&mut world, 70, 103, 0x4030);
    world.turn(80).finish(90);
    let window = world.windows.last().unwrap();
    let ends: Vec<_> = [48, 55, 56, 70]
        .iter()
        .map(|time| {
            let key = window.all_samples().find(|(_, times)| times.contains(time)).unwrap().0;
            window.user_stack(key.user_stack).unwrap().stop_reason
        })
        .collect();
    let (whole, stale) = (IR_STOP_COMPLETE, IR_STOP_MAPPINGS_CHANGED);
    assert_eq!(ends, [whole, stale, whole, whole]);
}

#[test]
fn without_room_those_that_were_sampled_longest_ago_give_way_and_come_back() {
    let mut world = World::new();
    for pid in 5..8 {
        world.exec(10, pid, "/bin/server").sample(u64::from(pid) * 10, pid, 1);
    }
    world.turn(100);
    for pid in 5..8 {
        world.answer(pid, 105, Some("shop"));
    }
    world.turn(110);
    assert_eq!(world.published.len(), 3);
    world.exec(120, 9, "/bin/new").sample(125, 9, 1).turn(130);
    world.is_full = true;
    world.answer(9, 135, Some("new")).turn(140);
    assert_eq!(world.forgotten_mappings, [5, 6, 7], "oldest first");
    world.is_full = false;
    world.turn(150);
    assert_eq!(world.published.last().unwrap().0, 9, "it is tried again");
    assert_eq!(world.published.len(), 4, "the others wait for their next sample");
    world.deferred(160, 6, 0).turn(170);
    assert_eq!(world.published.last().unwrap().0, 6);
}
