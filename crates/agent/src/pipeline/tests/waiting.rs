//! Samples and windows that wait.

use std::time::Duration;

use infrared_bpf::{
    Record, UserStack,
    abi::{IR_FRAME_RETURN_ADDRESS, IR_STOP_COMPLETE, IR_STOP_NO_TABLE, ir_frame, ir_sample},
};

use super::world::World;
use crate::watch::MAX_EAGER;
use crate::window::ClosedWindow;

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_sample_is_looked_at_once_the_events_before_it_are_there() {
    let mut world = World::new();
    world.sample(50, 5, 1).turn(40);
    assert!(world.asks.is_empty(), "its process may do anything until 50");
    world.exec(45, 5, "/bin/server").turn(60);
    assert_eq!(world.asks.len(), 1);
}

#[test]
fn a_sample_that_waits_keeps_its_time_and_its_kernel_stack_for_as_long() {
    let mut world = World::with_windows(Duration::from_secs(2));
    world.kernel_stack(77).deferred(SECOND, 5, 77).turn(SECOND + 1);
    // Its window and others close while its process is being read.
    world.turn(3 * SECOND).turn(6 * SECOND);
    assert_eq!((world.windows.len(), world.tables.walks), (2, 0));
    world.turn(9 * SECOND + 2).finish(10 * SECOND);
    assert_eq!(world.tables.walks, 1, "it has waited for as long as samples may");
    let window = world.windows.iter().find(|window| !window.late.is_empty()).unwrap();
    let (span, samples) = &window.late[0];
    assert!(span.contains(SECOND), "{span:?}");
    let (key, times) = samples.iter().next().unwrap();
    assert_eq!((times.as_slice(), key.kernel_stack), (&[SECOND][..], 77));
    assert!(window.kernel_stack(77).is_some());
}

#[test]
fn a_deferred_sample_waits_for_its_process_and_is_unwound_once() {
    let mut world = World::new();
    world.sample(5, 5, 1).deferred(10, 5, 0).turn(20).turn(30);
    assert_eq!(world.tables.walks, 0, "its process is being read");
    world.answer(5, 35, Some("shop")).turn(40).turn(50);
    assert_eq!(world.tables.walks, 1);
    world.finish(60);
    assert_eq!(world.times_of("shop"), [5, 10]);
}

#[test]
fn the_perf_map_of_a_process_is_read_again_and_again_while_its_jit_code_runs() {
    let mut world = World::new();
    let (hash, pid) = (7, 5);
    let frames = vec![ir_frame::native(0x7000, 0, 0)];
    let stack = UserStack { hash, stop_reason: IR_STOP_COMPLETE, pid, frames };
    world.take(Record::UserStack(stack));
    // Functions of Python are no native code.
    let frames = vec![ir_frame { place: 2 << 48 | 0x7000, ..ir_frame::native(0, 16, 0) }];
    let stack = UserStack { hash: 8, stop_reason: IR_STOP_COMPLETE, pid: 7, frames };
    world.take(Record::UserStack(stack));
    for tenths in 0..35 {
        let time_ns = tenths * SECOND / 10;
        let sample =
            ir_sample { pid, time_ns, start_time_ns: 1, user_stack: hash, ..ir_sample::default() };
        let of_python = ir_sample { pid: 7, user_stack: 8, ..sample };
        world.take(Record::Sample(sample)).take(Record::Sample(of_python));
        world.sample(time_ns, 6, 2).turn(time_ns + 1);
    }
    assert_eq!(world.perf_maps, [(pid, 1); 4], "once a second, and nobody else's");
}

#[test]
fn of_a_process_with_very_many_files_those_are_opened_that_walks_come_upon() {
    let mut world = World::new();
    world.exec(5, 5, "/bin/server");
    for number in 0..MAX_EAGER as u64 {
        world.map(6, 5, 0x10_0000 + number * 0x2000, &format!("/lib/{number}"));
    }
    let start = 0x10_0000 + 7 * 0x2000;
    // A return address just after the mapping: the call is in it.
    world.tables.frames = vec![ir_frame::native(start + 0x1000, 0, IR_FRAME_RETURN_ADDRESS)];
    world.tables.stop_reason = IR_STOP_NO_TABLE;
    let wanted = |world: &World| -> Vec<u64> {
        world.asks.iter().flat_map(|ask| &ask.files).map(|mapping| mapping.start).collect()
    };
    world.deferred(10, 5, 0).turn(20);
    assert!(wanted(&world).is_empty(), "nobody has come upon any");
    world.answer(5, 25, Some("server")).turn(30);
    assert_eq!(wanted(&world), [start]);
}

#[test]
fn a_deferred_sample_is_counted_even_if_nothing_ever_comes() {
    let mut world = World::new();
    world.tables.stop_reason = IR_STOP_NO_TABLE;
    world.exec(5, 5, "/bin/server").deferred(10, 5, 0).turn(20).finish(30);
    assert_eq!(world.times_of("server"), [10]);
    let window = world.windows.last().unwrap();
    let (key, _) = window.all_samples().next().unwrap();
    assert_ne!(window.user_stack(key.user_stack).unwrap().stop_reason, IR_STOP_COMPLETE);
}

#[test]
fn a_recording_that_ends_as_a_window_does_closes_the_next_one_with_no_time() {
    let mut world = World::new();
    world.exec(5, 5, "/bin/server").sample(8, 5, 1).turn(9).turn(11 * SECOND).finish(10 * SECOND);
    let spans: Vec<_> =
        world.windows.iter().map(|window| (window.span.start_ns, window.span.end_ns)).collect();
    assert_eq!(spans, [(0, 11 * SECOND), (11 * SECOND, 11 * SECOND)]);
}

#[test]
fn a_window_waits_a_moment_for_the_names_of_its_processes_and_not_longer() {
    let mut world = World::new();
    world.exec(5, 5, "/bin/server").sample(9 * SECOND, 5, 1).turn(9 * SECOND + 1);
    world.turn(10 * SECOND + 1);
    assert!(world.windows.is_empty(), "who it is is being read");
    world.answer(5, 10 * SECOND + 2, Some("shop")).turn(10 * SECOND + 3);
    assert_eq!(world.times_of("shop"), [9 * SECOND]);
    world.fork(11 * SECOND, 5, 6).sample(12 * SECOND, 6, 2).turn(13 * SECOND);
    world.turn(20 * SECOND + 4).turn(21 * SECOND);
    assert_eq!(world.windows.len(), 2, "nobody answers");
}

#[test]
fn a_window_that_is_full_closes_early() {
    let mut world = World::new();
    world.exec(5, 5, "/bin/server").turn(6);
    for thousand in 0..1_050 {
        for number in 0..1_000 {
            world.sample(10 + thousand * 1_000 + number, 5, 1);
        }
        world.turn(10 + (thousand + 1) * 1_000);
    }
    let taken =
        |window: &ClosedWindow| window.all_samples().map(|(_, times)| times.len()).sum::<usize>();
    assert_eq!(world.windows.len(), 1, "long before its time");
    assert!((1 << 20..(1 << 20) + 1_000).contains(&taken(&world.windows[0])));
    world.finish(2_000_000);
    assert_eq!(world.windows.iter().map(taken).sum::<usize>(), 1_050_000);
}
