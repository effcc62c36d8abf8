//! After process events were lost: nothing stale is believed, and nothing is given up for good.

use super::world::World;

#[test]
fn an_exec_that_was_lost_does_not_keep_the_old_service() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/launcher").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("launcher")).turn(40);
    world.lost(50, 55).sample(60, 5, 1).turn(70);
    world.answer(5, 65, Some("real")).turn(80).finish(90);
    assert_eq!((world.times_of("launcher"), world.times_of("real")), (vec![20], vec![60]));
}

#[test]
fn a_sample_from_before_a_loss_is_not_doubted_and_one_from_within_is() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/launcher").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("launcher")).turn(40);
    world.sample(45, 5, 1).sample(55, 5, 1).lost(50, 60).turn(70);
    world.answer(5, 75, Some("real")).turn(80).finish(90);
    assert_eq!(
        (world.times_of("launcher"), world.times_of("real")),
        (vec![20, 45], vec![55]),
        "{:?}",
        world.services()
    );
}

#[test]
fn an_exec_that_was_told_amid_a_loss_is_read_all_the_same() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/launcher").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("launcher")).turn(40);
    // Its mappings after that may not have been told.
    world.exec(55, 5, "/bin/real").lost(50, 60).sample(65, 5, 1).turn(70);
    assert!(world.asks.iter().any(|ask| ask.pid == 5 && ask.wants_mappings()), "{:?}", world.asks);
    world.answer(5, 75, Some("real")).turn(80).finish(90);
    assert_eq!((world.times_of("launcher"), world.times_of("real")), (vec![20], vec![65]));
}

#[test]
fn after_a_loss_a_process_goes_on_to_be_sampled_and_its_mappings_are_read_again() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/server").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("shop")).turn(40);
    world.published.clear();
    world.lost(50, 55).turn(60);
    assert!(world.forgotten.is_empty(), "it would not be sampled any more");
    assert_eq!(world.forgotten_mappings, [5], "what the kernel side knows may be out of date");
    world.deferred(70, 5, 0).turn(80);
    assert!(world.asks.iter().any(|ask| ask.pid == 5 && ask.wants_mappings() && ask.identity));
    world.answer(5, 85, Some("shop")).turn(90).finish(100);
    assert_eq!(world.published.len(), 1);
    assert_eq!(world.times_of("shop"), [20, 70]);
}

#[test]
fn a_child_that_is_gone_after_a_loss_is_not_called_as_its_parent() {
    let mut world = World::new();
    world.exec(10, 5, "/bin/sh").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("shell")).fork(32, 5, 6).turn(40);
    // It may have executed anything since.
    world.lost(50, 55).sample(60, 6, 2).exit(70, 6).turn(80).finish(90);
    assert_eq!(world.times_of("shell"), [20], "{:?}", world.services());
    assert_eq!(world.times_of("worker"), [60], "its thread's name is all that is known");
}

#[test]
fn mappings_of_the_parent_are_the_child_s_only_if_neither_did_exec() {
    for parent_execs in [false, true] {
        let mut world = World::new();
        world.event(
            1,
            infrared_bpf::SidebandEvent::Comm { pid: 5, tid: 5, comm: "sh".into(), exec: false },
        );
        world.fork(50, 5, 6).deferred(60, 6, 0).turn(65);
        world.answer(6, 66, None).turn(70);
        assert!(
            world.asks.iter().any(|ask| ask.pid == 5 && ask.wants_mappings()),
            "{:?}",
            world.asks
        );
        if parent_execs {
            world.exec(71, 5, "/bin/other");
        }
        world.answer(5, 75, Some("sh")).turn(80).turn(90);
        let child = world.pipeline.table.get(6).unwrap().current().mappings.len();
        assert_eq!(child, usize::from(!parent_execs), "parent executed another: {parent_execs}");
    }
}
