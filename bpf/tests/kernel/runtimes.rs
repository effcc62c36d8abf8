//! What is known of a process's runtimes: whose it is, and for how long.

use std::collections::BTreeSet;

use infrared_abi::{
    IR_GO_MORESTACK, IR_STOP_COMPLETE, IR_STOP_GO_STATE, RuntimeId, ir_go_state, ir_row,
    ir_runtime_states,
};
use infrared_bpf::{MappingBlock, PageTable};
use infrared_unwind::Rule;

use crate::{
    pages::own_page,
    runs::ends_of,
    session::{Session, config},
    subject::Subject,
    support::images::Images,
};

/// The subject as a thread that works for no goroutine: g and m are glibc's pointer to its own thread (`tcbhead_t.self`),
/// and m.curg is a word that is always zero there (`sysinfo`). A walk that knows so much ends at the thread's entry.
const IDLE: ir_go_state = ir_go_state {
    g_tls_offset: 16,
    g_m: 16,
    m_curg: 32,
    g_sched_sp: 0,
    g_sched_pc: 0,
    g_sched_bp: 0,
    present: 1,
};

struct GoSubject {
    session: Session,
    subject: Subject,
    block: MappingBlock,
}

impl GoSubject {
    /// A subject all of whose own code is said to be `runtime.morestack`.
    fn start() -> Self {
        let (mut session, subject) = Session::with_subject(&config());
        let mut images = Images::default();
        let block = session.load_tables(&mut images, &subject);
        let (key, ..) = own_page(&images, &block);
        let rows = [ir_row { address_low: 0, rule: 0 }];
        let rules = [Rule::of_runtime(RuntimeId::Go, IR_GO_MORESTACK).to_abi()];
        session.kernel.tables.insert(key, PageTable { rows: &rows, rules: &rules }).unwrap();
        Self { session, subject, block }
    }

    fn publish(&mut self, go: Option<ir_go_state>) {
        let runtimes = go.map(|go| Box::new(ir_runtime_states { go, ..Default::default() }));
        let block = MappingBlock { runtimes, ..self.block.clone() };
        self.session.kernel.processes.publish(self.subject.pid(), &block).unwrap();
        self.session.kernel.next_window().unwrap();
        drop(self.session.take());
    }

    /// How the stacks end of a child that burns.
    fn ends_in_child(&mut self) -> (BTreeSet<u32>, usize) {
        let child = self.subject.numbers("fork 100")[0] as u32;
        ends_of(&self.session.take(), child)
    }

    /// How they end in the process itself.
    fn ends(&mut self) -> (BTreeSet<u32>, usize) {
        self.subject.tell("burn 100");
        ends_of(&self.session.take(), self.subject.pid())
    }
}

const FOLLOWED: u32 = IR_STOP_COMPLETE;
const UNKNOWN: u32 = IR_STOP_GO_STATE;

#[test]
fn what_is_known_of_a_runtime_holds_until_something_else_is_told() {
    let mut go = GoSubject::start();
    let absent = ir_go_state { present: 0, ..IDLE };
    for (told, end) in
        [(Some(IDLE), FOLLOWED), (None, UNKNOWN), (Some(IDLE), FOLLOWED), (Some(absent), UNKNOWN)]
    {
        go.publish(told);
        assert_eq!(go.ends(), (BTreeSet::from([end]), 0), "{told:?}");
    }
}

#[test]
fn a_forked_child_has_its_parent_s_runtimes() {
    let mut go = GoSubject::start();
    for (told, end) in [(Some(IDLE), FOLLOWED), (None, UNKNOWN)] {
        go.publish(told);
        assert_eq!(go.ends_in_child(), (BTreeSet::from([end]), 0), "{told:?}");
    }
}

#[test]
fn nothing_is_known_of_runtimes_once_the_mappings_are_forgotten() {
    let mut go = GoSubject::start();
    go.publish(Some(IDLE));
    go.session.kernel.processes.forget_mappings(go.subject.pid());
    drop(go.session.take());
    let (ends, deferred) = go.ends();
    assert!(ends.is_empty() && deferred > 50, "{ends:?} {deferred}");
    go.publish(None);
    assert_eq!(go.ends(), (BTreeSet::from([UNKNOWN]), 0));
}
