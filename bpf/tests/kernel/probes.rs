//! Stacks beneath a uretprobe: the kernel has put its trampoline's address in place of the caller's.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write,
    process::Command,
};

use infrared_bpf::{CopiedStack, HostUnwinder, abi::IR_STOP_COMPLETE};

use crate::{
    session::{Session, config},
    subject::executable,
    support::images::Images,
};

const TRACING: &str = "/sys/kernel/tracing";

/// A uretprobe at a function, as long as it lives.
struct Probe;

impl Probe {
    fn at(program: &str, function: &str) -> Self {
        if fs::metadata(format!("{TRACING}/uprobe_events")).is_err() {
            let mount = Command::new("mount").args(["-t", "tracefs", "tracefs", TRACING]).status();
            assert!(mount.unwrap().success(), "tracefs can be mounted");
        }
        let symbols = Command::new("nm").arg(program).output().unwrap();
        let symbols = String::from_utf8(symbols.stdout).unwrap();
        let line = symbols.lines().find(|line| line.ends_with(&format!(" {function}"))).unwrap();
        // The segment of the code is where the file has it.
        let offset = line.split(' ').next().unwrap();
        let probe = Self;
        write("uprobe_events", &format!("r:infrared_test/returns {program}:0x{offset}"));
        write("events/infrared_test/returns/enable", "1");
        probe
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        write("events/infrared_test/returns/enable", "0");
        write("uprobe_events", "-:infrared_test/returns");
    }
}

fn write(file: &str, text: &str) {
    let path = format!("{TRACING}/{file}");
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap_or_else(|error| panic!("{text} > {path}: {error}"));
}

#[test]
fn a_stack_beneath_a_uretprobe_is_whole_here_and_there() {
    let (mut session, mut subject) = Session::with_subject(&config());
    let probe = Probe::at(&executable(), "burn");
    // Nothing is known of the process: its samples come with copies of their stacks.
    subject.tell("burn 100");
    let copies = session.take().deferred;
    let mut images = Images::default();
    let block = session.load_tables(&mut images, &subject);
    let mut host = HostUnwinder::new(session.kernel.hash_key());
    let is_beneath = |deferred: &&infrared_bpf::DeferredSample| deferred.returns[0].slot != 0;
    let beneath: Vec<_> = copies.iter().filter(is_beneath).collect();
    assert!(beneath.len() > 30, "{} of {} beneath the probe", beneath.len(), copies.len());
    let unwound = beneath.iter().map(|copy| {
        let stack = CopiedStack {
            registers: &copy.registers,
            in_syscall: false,
            memory: &copy.memory,
            returns: &copy.returns,
            calls: &copy.calls,
        };
        host.unwind(&session.kernel.tables, subject.pid(), &block, stack).stack
    });
    let ends: BTreeSet<_> = unwound.map(|stack| (stack.stop_reason, stack.frames.len())).collect();
    let depths: BTreeSet<_> = ends.iter().map(|(_, depth)| *depth).collect();
    assert!(ends.iter().all(|(reason, _)| *reason == IR_STOP_COMPLETE), "{ends:?}");
    // Published, the kernel finds the same.
    session.kernel.processes.publish(subject.pid(), &block).unwrap();
    drop(session.take());
    subject.tell("burn 200");
    let taken = session.take();
    let ends: BTreeSet<_> =
        taken.stacks.iter().map(|stack| (stack.stop_reason, stack.frames.len())).collect();
    assert!(ends.iter().all(|(reason, _)| *reason == IR_STOP_COMPLETE), "{ends:?}");
    assert!(ends.iter().any(|(_, depth)| depths.contains(depth)), "{ends:?} and {depths:?}");
    drop(probe);
}
