//! What the kernel side is told of runtimes.

use infrared_bpf::abi::{ir_go_state, ir_runtime_states};

use super::world::World;

/// What some image of the process had.
fn found() -> ir_runtime_states {
    let go = ir_go_state {
        g_tls_offset: -8,
        g_m: 48,
        m_curg: 184,
        g_sched_sp: 56,
        g_sched_pc: 64,
        g_sched_bp: 104,
        present: 1,
    };
    ir_runtime_states { go, ..Default::default() }
}

/// A process that has a runtime.
fn shop() -> World {
    let mut world = World::new();
    world.exec(10, 5, "/bin/server").sample(20, 5, 1).turn(30);
    world.answer(5, 25, Some("shop")).turn(40);
    let space = world.pipeline.table.get_mut(5).unwrap().current_mut();
    space.runtimes.states = Some(Box::new(found()));
    space.changed();
    world
}

#[test]
fn a_process_s_runtimes_are_told_with_its_mappings_and_a_child_s_are_its_parent_s() {
    let mut world = shop();
    world.fork(50, 5, 6).sample(60, 6, 2).turn(70);
    world.answer(6, 65, Some("shop")).turn(80);
    for pid in [5, 6] {
        let told = world.published.iter().rfind(|(of, _)| *of == pid).unwrap();
        assert_eq!(told.1.runtimes.as_deref(), Some(&found()), "{pid}");
    }
}

#[test]
fn another_program_of_the_process_has_its_own() {
    let mut world = shop();
    world.exec(50, 5, "/bin/other").sample(60, 5, 1).turn(70);
    world.answer(5, 65, Some("other")).turn(80);
    assert_eq!(world.published.last().unwrap().1.runtimes, None);
}

#[test]
fn a_child_that_is_gone_before_it_can_be_read_has_its_parent_s() {
    let mut world = World::new();
    // Both are of before we came: of the child nothing is known but whose it is.
    world.sample(20, 5, 1).turn(25).fork(30, 5, 6).sample(40, 6, 1).turn(50);
    world.answer(5, 45, Some("shop")).turn(60);
    let space = world.pipeline.table.get_mut(5).unwrap().current_mut();
    space.runtimes.states = Some(Box::new(found()));
    world.exit(70, 6).deferred(42, 6, 0).turn(80).turn(90);
    let space = world.pipeline.table.get(6).unwrap().current();
    assert!(space.is_complete, "it has its parent's mappings");
    assert_eq!(space.runtimes.states.as_deref(), Some(&found()));
}
