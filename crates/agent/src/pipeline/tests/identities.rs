//! Whom samples belong to.

use infrared_bpf::abi::IR_STOP_NO_TABLE;

use super::world::World;

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_process_is_named_as_it_was_when_it_was_sampled() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/launcher").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("launcher")).turn(40);
    world.exec(50, 5, "/bin/real").sample(60, 5, 1).turn(70);
    world.answer(5, 65, Some("real")).turn(80).finish(90);
    assert_eq!(world.times_of("launcher"), [20]);
    assert_eq!(world.times_of("real"), [60]);
}

#[test]
fn what_was_read_after_an_exec_is_not_believed_of_before() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/launcher").sample(20, 5, 1).turn(30);
    // It was read at 55, when the exec of 50 had happened and was not known yet.
    world.answer(5, 55, Some("real")).exec(50, 5, "/bin/real").turn(100).finish(110);
    assert_eq!(world.times_of("launcher"), [20], "{:?}", world.services());
    assert!(world.published.is_empty(), "the mappings of another address space were published");
}

#[test]
fn an_answer_waits_for_the_events_before_it() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/launcher").sample(20, 5, 1).turn(30);
    world.answer(5, 55, Some("real")).turn(40);
    assert!(world.published.is_empty(), "events up to 55 are not known at 40");
    world.turn(60);
    assert_eq!(world.published.len(), 1);
}

#[test]
fn a_child_is_another_process_than_its_parent() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/sh").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("shell")).turn(40);
    world.fork(50, 5, 6).sample(60, 6, 2).turn(70);
    assert!(world.asks.iter().any(|ask| ask.pid == 6 && ask.identity), "it is asked itself");
    world.answer(6, 65, Some("child")).turn(80).finish(90);
    assert_eq!((world.times_of("shell"), world.times_of("child")), (vec![20], vec![60]));
}

#[test]
fn a_child_that_is_gone_is_what_its_parent_was_when_it_forked() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/sh").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("shell")).turn(40);
    world.fork(50, 5, 6).exec(51, 5, "/bin/other").exit(70, 6).sample(60, 6, 2).turn(80);
    world.finish(90);
    assert_eq!(world.times_of("shell"), [20, 60], "{:?}", world.services());
}

#[test]
fn a_program_that_is_gone_has_a_heritable_name_or_its_own() {
    for (parent, service) in [("declared-shop", "declared-shop"), ("shell", "gzip")] {
        let mut world = World::new();
        world.exec(10, 5, "/bin/sh").sample(20, 5, 1).turn(30);
        world.answer(5, 25, Some(parent)).turn(40);
        world.fork(50, 5, 6).exec(55, 6, "/bin/gzip").exit(70, 6).sample(60, 6, 2).turn(80);
        world.finish(90);
        assert!(world.times_of(service).contains(&60), "{:?}", world.services());
    }
}

#[test]
fn a_process_that_is_gone_has_the_service_that_its_environment_declared() {
    for (entry, service) in [("SERVICE=shop\0", "shop"), ("A=b\0", "brief")] {
        let mut world = World::new();
        world.exec(10, 7, "/usr/bin/brief").environment(12, 7, entry);
        world.sample(20, 7, 1).exit(30, 7).turn(40).finish(50);
        assert_eq!(world.times_of(service), [20], "{:?}", world.services());
    }
}

#[test]
fn the_parent_of_a_process_that_is_gone_is_asked_though_it_was_never_sampled() {
    let mut world = World::new();
    world.event(
        1,
        infrared_bpf::SidebandEvent::Comm { pid: 5, tid: 5, comm: "sh".into(), exec: false },
    );
    world.fork(50, 5, 6).exec(55, 6, "/bin/gzip").exit(70, 6).sample(60, 6, 2).turn(80);
    world.answer(5, 85, Some("declared-shop")).turn(90).finish(100);
    assert_eq!(world.times_of("declared-shop"), [60], "{:?}", world.services());
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/first").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("first")).exit(40, 5).fork(50, 1, 5).exec(51, 5, "/bin/second");
    world.sample(60, 5, 2).turn(70);
    world.answer(5, 65, Some("second")).turn(80);
    // A late one of the first: it had to wait.
    world.deferred(22, 5, 0).turn(90).finish(100);
    assert_eq!(world.times_of("first"), [20, 22], "{:?}", world.services());
    assert_eq!(world.times_of("second"), [60]);
}

#[test]
fn a_process_whose_fork_was_lost_begins_with_an_unknown_past() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/first").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("first")).turn(35);
    world.sample(60, 5, 2).turn(70);
    let ask = world.asks.iter().find(|ask| ask.pid == 5).expect("it is read anew");
    assert!(ask.wants_mappings() && ask.identity);
    world.answer(5, 75, Some("second")).turn(80).finish(90);
    assert_eq!((world.times_of("first"), world.times_of("second")), (vec![20], vec![60]));
}

#[test]
fn a_thread_group_lives_until_its_last_thread() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/server").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("shop")).turn(35).exit(40, 5).turn(50);
    let late = 30 * SECOND;
    world.turn(late);
    assert_eq!(world.alive_asked, [5], "its main thread has ended: does it live?");
    world.answer_alive(&[5]).turn(late + 1);
    assert!(world.forgotten.is_empty(), "{:?}", world.forgotten);
    let mut sample = infrared_bpf::abi::ir_sample::default();
    (sample.pid, sample.tid, sample.time_ns, sample.start_time_ns, sample.user_stack) =
        (5, 9, late + 2, 1, 1);
    world.take(infrared_bpf::Record::Sample(sample)).turn(late + 3).finish(late + 4);
    assert!(world.times_of("shop").contains(&(late + 2)), "{:?}", world.services());
}

#[test]
fn a_process_is_forgotten_some_time_after_its_end() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/server").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("shop")).turn(35).exit(40, 5).turn(20 * SECOND);
    assert!(world.alive_asked.is_empty(), "a sample of it may still wait");
    world.turn(26 * SECOND).answer_alive(&[]).turn(27 * SECOND);
    assert_eq!(world.forgotten, [5]);
}

#[test]
fn a_program_that_executes_itself_without_end_takes_no_more_memory() {
    let mut world = World::new();
    let mut waiting = Vec::new();
    for round in 0..5_000 {
        world.exec(10 + 10 * round, 5, "/bin/loop");
        if round % 100 == 0 {
            world.sample(15 + 10 * round, 5, 1);
            waiting.push(15 + 10 * round);
        }
        world.turn(18 + 10 * round);
        world.asks.clear();
    }
    assert!(
        world.pipeline.table.get(5).unwrap().spaces().len() <= 66,
        "16, and those with samples"
    );
    world.finish(60_000);
    assert_eq!(world.times_of("loop"), waiting, "no sample is lost: {:?}", world.services());
    let window = world.windows.last().unwrap();
    let mapped = window.processes.iter().filter(|process| process.mappings.find(0x1000).is_some());
    assert_eq!(mapped.count(), 50, "each has the mappings of its own program");
}

#[test]
fn a_sample_that_waits_keeps_its_program_while_the_process_executes_others() {
    let mut world = World::new();
    world.tables.stop_reason = IR_STOP_NO_TABLE;
    world.exec(10, 5, "/bin/first").deferred(20, 5, 0).turn(30);
    for round in 0..40 {
        world.exec(40 + 10 * round, 5, "/bin/loop").turn(45 + 10 * round);
    }
    world.finish(1_000);
    assert_eq!(world.times_of("first"), [20], "{:?}", world.services());
    let window = world.windows.last().unwrap();
    let (key, _) = window.all_samples().next().unwrap();
    let process = &window.processes[key.process as usize];
    assert!(process.mappings.find(0x1000).is_some(), "it has the mappings of its own program");
}
