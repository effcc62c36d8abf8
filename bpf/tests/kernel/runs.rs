//! Whose mappings the kernel side believes: those of a forked child are its parent's until somebody else gets their room.

use std::collections::BTreeSet;

use infrared_bpf::MappingBlock;
use infrared_bpf::abi::{
    IR_PROCESS_KNOWN, IR_PROCESS_SETTLED, IR_STOP_COMPLETE, IR_STOP_NO_MAPPING,
};

use crate::{
    session::{Session, Taken, config},
    subject::Subject,
    support::images::Images,
};

/// How the user stacks of a process ended that the kernel unwound; and how many samples it could not unwind.
pub(crate) fn ends_of(taken: &Taken, pid: u32) -> (BTreeSet<u32>, usize) {
    let own = taken.samples.iter().filter(|sample| sample.pid == pid && sample.user_stack != 0);
    let ends = own.filter_map(|sample| {
        taken.stacks.iter().find(|stack| stack.hash == sample.user_stack).map(|s| s.stop_reason)
    });
    let deferred = taken.deferred.iter().filter(|deferred| deferred.sample.pid == pid);
    (ends.collect(), deferred.count())
}

fn published() -> (Session, Subject, MappingBlock) {
    let (mut session, subject) = Session::with_subject(&config());
    let mut images = Images::default();
    let block = session.load_tables(&mut images, &subject);
    session.kernel.processes.publish(subject.pid(), &block).unwrap();
    (session, subject, block)
}

#[test]
fn a_forked_child_has_its_parent_s_mappings_at_once() {
    let (mut session, mut subject, _) = published();
    let child = subject.numbers("fork 200")[0] as u32;
    let (ends, deferred) = ends_of(&session.take(), child);
    assert_eq!((ends, deferred), (BTreeSet::from([IR_STOP_COMPLETE]), 0));
}

#[test]
fn a_child_does_not_believe_a_run_that_was_given_to_somebody_else() {
    let (mut session, mut subject, block) = published();
    let child = subject.numbers("keep")[0] as u32;
    // The parent gets another run, and a stranger the one that the child points to.
    session.kernel.processes.publish(subject.pid(), &block).unwrap();
    let foreign = MappingBlock { state: IR_PROCESS_KNOWN, ..MappingBlock::default() };
    for stranger in 1..200 {
        session.kernel.processes.publish(4_000_000 + stranger, &foreign).unwrap();
    }
    drop(session.take());
    subject.numbers("wake 200");
    let taken = session.take();
    let (ends, deferred) = ends_of(&taken, child);
    assert!(ends.is_empty(), "it was unwound by mappings that are not its own: {ends:?}");
    assert!(deferred > 100, "{deferred} of its samples wait for its own");
    assert!(taken.pids().contains(&child));
}

#[test]
fn a_process_without_its_main_thread_keeps_its_mappings() {
    let (mut session, mut subject, _) = published();
    assert_eq!(subject.tell("leave 300"), "burned");
    let (ends, deferred) = ends_of(&session.take(), subject.pid());
    assert!(ends.contains(&IR_STOP_COMPLETE), "{ends:?}");
    assert!(deferred < 10, "{deferred} samples without mappings");
}

#[test]
fn a_process_whose_mappings_are_forgotten_goes_on_to_be_sampled() {
    let (mut session, mut subject, _) = published();
    session.kernel.processes.forget_mappings(subject.pid());
    drop(session.take());
    subject.tell("burn 200");
    let (ends, deferred) = ends_of(&session.take(), subject.pid());
    assert_eq!(ends, BTreeSet::new());
    assert!(deferred > 100, "{deferred}");
    session.kernel.processes.remove(subject.pid());
    drop(session.take());
    subject.tell("burn 50");
    assert!(session.take().pids().is_empty(), "it has ended, as far as we know");
}

#[test]
fn a_return_address_that_is_nowhere_is_asked_about_until_that_is_settled() {
    for (state, settled) in [(0, false), (IR_PROCESS_SETTLED, true)] {
        let (mut session, mut subject, block) = published();
        // Only the program itself: what called main is nowhere.
        let mut part = block.clone();
        part.mappings.truncate(1);
        part.state |= state;
        session.kernel.processes.publish(subject.pid(), &part).unwrap();
        drop(session.take());
        subject.tell("burn 200");
        let (ends, deferred) = ends_of(&session.take(), subject.pid());
        assert_eq!((ends.contains(&IR_STOP_NO_MAPPING), deferred > 100), (settled, !settled));
    }
}
