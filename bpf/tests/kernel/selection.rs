//! What is chosen to be sampled, when there is no room for more.

use infrared_bpf::KernelError;
use infrared_bpf::abi::{IR_STAT_FILTERED, IR_STAT_LOST_SELECTION};

use crate::session::{Session, config};
use crate::subject::Subject;

/// Larger than any pid (`PID_MAX_LIMIT` of include/linux/threads.h).
const NOBODY: u32 = 1 << 23;
/// More than there is room for.
const MANY: u32 = 100_000;

fn selected(mut select: impl FnMut(u32) -> Result<(), KernelError>) -> (u32, Option<KernelError>) {
    for number in 0..MANY {
        if let Err(error) = select(number) {
            return (number, Some(error));
        }
    }
    (MANY, None)
}

#[test]
fn children_that_cannot_be_selected_any_more_are_counted() {
    let (session, mut subject) = Session::with_subject(&config());
    let processes = &session.kernel.processes;
    let early = subject.numbers("fork 1")[0] as u32;
    assert!(processes.is_selected(early), "as its parent is");
    assert_eq!(session.stat(IR_STAT_LOST_SELECTION), 0);
    let (count, error) = selected(|number| processes.select_pid(NOBODY + number));
    // The subject and its child are in there.
    assert_eq!(count, 16_384 - 2);
    assert!(matches!(error, Some(KernelError::Full { .. })), "{error:?}");
    let late = subject.numbers("fork 1")[0] as u32;
    assert!(!processes.is_selected(late));
    assert_eq!(session.stat(IR_STAT_LOST_SELECTION), 1);
}

#[test]
fn more_cgroups_than_can_be_chosen_are_refused() {
    let session = Session::load(&config());
    let (count, error) =
        selected(|number| session.kernel.processes.select_cgroup(u64::from(NOBODY + number)));
    assert_eq!(count, 4_096);
    assert!(matches!(error, Some(KernelError::Full { .. })), "{error:?}");
}

#[test]
fn a_command_is_sampled_from_its_exec_on() {
    let mut session = Session::load(&config());
    let mut subject = Subject::start();
    session.kernel.processes.select_pid_from_exec(subject.pid()).unwrap();
    subject.tell("burn 100");
    assert!(session.take().pids().is_empty(), "it has not executed anything yet");
    assert!(session.stat(IR_STAT_FILTERED) > 0);
    subject.tell("exec");
    subject.tell("burn 100");
    assert!(session.take().pids().contains(&subject.pid()));
}
