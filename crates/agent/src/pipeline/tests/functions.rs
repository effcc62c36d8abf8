//! Functions of language runtimes: asked for at first sight, once, and part of the window in which they were seen.

use std::time::Duration;

use infrared_bpf::{
    Record, UserStack,
    abi::{IR_STOP_COMPLETE, RuntimeId, ir_frame, ir_sample},
};
use infrared_runtimes::{
    Function, Named, Namer,
    python::{CodeLayout, LineTable, Version},
};

use super::world::World;
use crate::watch::FunctionKey;

const CODE: u64 = 0x7000;

/// A frame of Python.
fn frame(check: u32) -> ir_frame {
    ir_frame { place: CODE | (RuntimeId::Python as u64) << 48, space: check, position: 4 }
}

fn function(name: &str) -> Named {
    let (name, file) = (name.into(), "shop.py".into());
    Named::Python(Function { name, file, first_line: 7, lines: LineTable::default() })
}

/// A process that runs Python.
fn shop() -> World {
    shop_in(World::new())
}

fn shop_in(mut world: World) -> World {
    world.exec(10, 5, "/bin/python3").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("shop")).turn(40);
    let layout = CodeLayout::of(Version(3, 12)).unwrap();
    let space = world.pipeline.table.get_mut(5).unwrap().current_mut();
    space.runtimes.namers = vec![Namer::Python(layout)];
    world
}

fn sample(world: &mut World, time_ns: u64, hash: u64, frames: Vec<ir_frame>) {
    let (stop_reason, pid) = (IR_STOP_COMPLETE, 5);
    world.take(Record::UserStack(UserStack { hash, stop_reason, pid, frames }));
    let sample = ir_sample { time_ns, start_time_ns: 1, user_stack: hash, ..ir_sample::default() };
    world.take(Record::Sample(ir_sample { pid, tid: pid, ..sample }));
}

/// The checks of the functions that are asked for.
fn asked(world: &World) -> Vec<u32> {
    let wanted = world.asks.iter().flat_map(|ask| &ask.functions);
    wanted.map(|wanted| wanted.key.check).collect()
}

#[test]
fn a_function_is_asked_for_when_a_frame_of_it_is_seen_first_and_named_in_its_window() {
    let mut world = shop();
    let native = ir_frame::native(0x1000, 0, 0);
    sample(&mut world, 50, 100, vec![native, frame(1), frame(1), frame(2)]);
    world.turn(60);
    // One question at a time: the one about its files was first.
    world.answer(5, 61, Some("shop")).turn(62);
    assert_eq!(asked(&world), [1, 2]);
    let keys = [1, 2].map(|check| FunctionKey::of(&frame(check)).unwrap());
    world.functions = vec![(keys[0], Some(function("add"))), (keys[1], None)];
    world.answer(5, 65, Some("shop"));
    // Another stack of the same functions, and one of another.
    sample(&mut world, 70, 101, vec![frame(2), frame(1)]);
    sample(&mut world, 71, 102, vec![frame(3)]);
    world.turn(80).answer(5, 81, Some("shop")).turn(82);
    assert_eq!(asked(&world), [3], "what is known, or known to be gone, is not asked for again");
    world.finish(90);
    let process = &world.windows[0].processes[0];
    assert_eq!(process.functions.get(keys[0]), Some(&function("add")));
    assert_eq!(process.functions.get(keys[1]), None);
    assert_eq!(FunctionKey::of(&native), None);
}

#[test]
fn functions_outlive_a_process_that_is_forgotten_before_its_window_closes() {
    let mut world = shop_in(World::with_windows(Duration::from_mins(1)));
    sample(&mut world, 50, 100, vec![frame(1)]);
    world.turn(60);
    let key = FunctionKey::of(&frame(1)).unwrap();
    world.functions = vec![(key, Some(function("add")))];
    world.answer(5, 65, Some("shop")).turn(70);
    world.exit(80, 5).turn(30_000_000_000).answer_alive(&[]).turn(31_000_000_000);
    assert!(world.pipeline.table.get_mut(5).is_none(), "it is forgotten");
    assert!(world.windows.is_empty());
    world.finish(32_000_000_000);
    let closed = world.windows.iter().find(|window| !window.samples.is_empty()).unwrap();
    let seen = closed.processes.iter().any(|process| process.functions.get(key).is_some());
    assert!(seen, "its functions are not");
}

#[test]
fn a_window_closes_when_what_its_functions_are_was_read_or_after_a_while() {
    const WINDOW: u64 = 10_000_000_000;
    for (is_answered, closed) in [(true, 1), (false, 0)] {
        let mut world = shop();
        sample(&mut world, WINDOW - 5, 100, vec![frame(1)]);
        world.turn(WINDOW - 4).answer(5, WINDOW - 3, Some("shop")).turn(WINDOW - 2);
        assert!(world.pipeline.window_waits());
        world.turn(WINDOW + 30);
        assert_eq!(world.windows.len(), 0, "it waits");
        assert!(world.pipeline.is_waiting(), "at the end it would, too");
        if is_answered {
            world.answer(5, WINDOW + 31, Some("shop"));
        }
        world.turn(WINDOW + 40);
        assert_eq!(world.windows.len(), closed);
        world.turn(WINDOW + 1_000_000_000);
        assert_eq!(world.windows.len(), 1, "nobody waits for ever");
    }
}
