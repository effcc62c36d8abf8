//! User stacks: as the kernel side unwinds them, and as user space does from a copy.

use infrared_bpf::{
    CopiedMemory, CopiedStack, DeferredSample, HostUnwinder, KernelConfig, MappingBlock, UserStack,
    abi::{
        IR_IMAGE_PENDING, IR_PROCESS_COMPAT, IR_PROCESS_KNOWN, IR_SAMPLE_IN_KERNEL,
        IR_SAMPLE_IN_SYSCALL, IR_STOP_COMPAT, IR_STOP_COMPLETE, IR_STOP_NOT_READY,
        IR_STOP_STACK_COPY_LIMIT,
    },
};

use crate::{
    session::{Session, Taken, config},
    support::images::Images,
};

pub(crate) fn copied(deferred: &DeferredSample) -> CopiedStack<'_> {
    CopiedStack {
        registers: &deferred.registers,
        in_syscall: deferred.sample.flags & IR_SAMPLE_IN_SYSCALL != 0,
        memory: &deferred.memory,
        returns: &deferred.returns,
        calls: &deferred.calls,
    }
}

/// A sample in user space, at the one instruction where the subject spins.
pub(crate) fn spinning(taken: &Taken) -> &DeferredSample {
    let in_user_space =
        |deferred: &&DeferredSample| deferred.sample.flags & IR_SAMPLE_IN_KERNEL == 0;
    taken.deferred.iter().rfind(in_user_space).expect("a deferred sample of the spinning subject")
}

/// The block as it is while its files are being read.
fn with_images_pending(block: &MappingBlock) -> MappingBlock {
    let mut pending = block.clone();
    for mapping in &mut pending.mappings {
        mapping.image = IR_IMAGE_PENDING;
    }
    pending
}

/// Lets a subject that answers no more run for a while: another one's CPU time is the clock.
pub(crate) fn meanwhile() {
    crate::subject::Subject::start().tell("burn 150");
}

#[test]
fn nobody_knows_beforehand_what_hash_a_stack_has() {
    let hashes = [(), ()].map(|()| {
        let (mut session, mut subject) = Session::with_subject(&config());
        let mut images = Images::default();
        let block = session.load_tables(&mut images, &subject);
        session.kernel.processes.publish(subject.pid(), &block).unwrap();
        subject.tell("burn 100");
        let stacks = session.take().stacks;
        stacks.iter().map(|stack| stack.hash).collect::<std::collections::BTreeSet<_>>()
    });
    assert!(!hashes[0].is_empty());
    assert!(hashes[0].is_disjoint(&hashes[1]), "{hashes:x?}");
}

#[test]
fn an_unknown_process_sends_registers_and_the_top_of_its_stack() {
    let (mut session, mut subject) = Session::with_subject(&config());
    let [_, pattern] = subject.numbers("mark 200")[..] else { panic!("two numbers") };
    let taken = session.take();
    assert!(taken.samples.is_empty(), "nothing is known of the process yet");
    let mut below =
        taken.deferred.iter().filter(|deferred| deferred.registers.general[7] < pattern);
    assert!(below.clone().count() > 100);
    assert!(below.all(|deferred| {
        let sp = deferred.registers.general[7];
        let mut words = [0; 64 * 8];
        assert!(deferred.memory[0].read(pattern, &mut words));
        let words = words.chunks_exact(8);
        let words = words.map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
        (deferred.memory[0].address..deferred.memory[0].address + 4096).contains(&sp)
            && words.eq((0..64).map(|i| 0x1bad_b002_dead_beef + i))
    }));
}

#[test]
fn kernel_and_user_space_unwind_alike() {
    let (mut session, mut subject) = Session::with_subject(&config());
    subject.tell("spin");
    meanwhile();
    let copies = session.take();
    let mut images = Images::default();
    let block = session.load_tables(&mut images, &subject);
    let copy = spinning(&copies);
    let mut host = HostUnwinder::new(session.kernel.hash_key());
    let pid = subject.pid();
    let expected = host.unwind(&session.kernel.tables, pid, &block, copied(copy));
    assert_eq!(expected.stack.stop_reason, IR_STOP_COMPLETE);
    assert!(!expected.may_improve);
    // spin six times, main, three of the C library and loader
    assert!(expected.stack.frames.len() >= 9, "{:x?}", expected.stack.frames);
    // Published, the kernel finds the same.
    session.kernel.processes.publish(pid, &block).unwrap();
    meanwhile();
    let taken = session.take();
    let found: Vec<&UserStack> =
        taken.stacks.iter().filter(|stack| stack.hash == expected.stack.hash).collect();
    assert_eq!(found, [&expected.stack], "the stack is sent once in a window");
    let after = taken.samples.iter().filter(|sample| sample.user_stack == expected.stack.hash);
    assert!(after.count() > 50);
    // A new window has it sent anew, once.
    session.kernel.next_window().unwrap();
    meanwhile();
    let again = session.take().stacks;
    let again = again.iter().filter(|stack| stack.hash == expected.stack.hash).count();
    assert_eq!(again, 1);
    // One walk leaves nothing to the next.
    let pending = with_images_pending(&block);
    let leaf = host.unwind(&session.kernel.tables, pid, &pending, copied(copy));
    assert!(leaf.may_improve && leaf.stack.frames.len() == 1, "{:x?}", leaf.stack.frames);
    let whole = host.unwind(&session.kernel.tables, pid, &block, copied(copy));
    assert_eq!(whole, expected);
    // A copy that ends too early says so.
    let mut part = vec![0; copied_part(copy)];
    assert!(copy.memory[0].read(copy.memory[0].address, &mut part));
    let part = [CopiedMemory::new(copy.memory[0].address, &part)];
    let cut = CopiedStack { memory: &part, ..copied(copy) };
    let cut = host.unwind(&session.kernel.tables, pid, &block, cut).stack;
    assert_eq!(cut.stop_reason, IR_STOP_STACK_COPY_LIMIT);
    assert!(expected.stack.frames.starts_with(&cut.frames));
}

#[test]
fn a_handler_on_a_stack_of_its_own_travels_with_the_stack_that_it_interrupted() {
    for place in ["handle", "thread"] {
        let (mut session, mut subject) = Session::with_subject(&config());
        subject.tell(place);
        meanwhile();
        let copies = session.take();
        let mut images = Images::default();
        let block = session.load_tables(&mut images, &subject);
        let copy = spinning(&copies);
        let (tables, mut host) =
            (&session.kernel.tables, HostUnwinder::new(session.kernel.hash_key()));
        let found = host.unwind(tables, subject.pid(), &block, copied(copy)).stack;
        assert_eq!(found.stop_reason, IR_STOP_COMPLETE, "{place}: {:x?}", found.frames);
        // spin six times, the handler, the trampoline, raise, handle, and what called it
        assert!(found.frames.len() >= 12, "{place}: {:x?}", found.frames);
        // The kernel, which reads as it goes, finds the same.
        session.kernel.processes.publish(subject.pid(), &block).unwrap();
        meanwhile();
        assert!(session.take().stacks.contains(&found), "{place}");
        // The handler's stack alone ends where it interrupted.
        let sp = copy.registers.general[7];
        let own = copy.memory.iter().filter(|memory| memory.read(sp, &mut [0; 8]));
        let own: Vec<_> = own.cloned().collect();
        let alone = CopiedStack { memory: &own, ..copied(copy) };
        let cut = host.unwind(&session.kernel.tables, subject.pid(), &block, alone).stack;
        assert_eq!(cut.stop_reason, IR_STOP_STACK_COPY_LIMIT);
    }
}

/// Bytes of the copy up to two words above the stack pointer.
fn copied_part(copy: &DeferredSample) -> usize {
    (copy.registers.general[7] - copy.memory[0].address) as usize + 16
}

#[test]
fn mappings_that_were_replaced_or_removed_are_not_used() {
    let (mut session, mut subject) = Session::with_subject(&config());
    let mut images = Images::default();
    let block = session.load_tables(&mut images, &subject);
    let pid = subject.pid();
    session.kernel.processes.publish(pid, &block).unwrap();
    subject.tell("spin");
    meanwhile();
    assert!(session.take().stacks.iter().any(|stack| stack.stop_reason == IR_STOP_COMPLETE));
    // Every CPU that sampled it has the process and the mapping of its code at hand.
    session.kernel.processes.publish(pid, &with_images_pending(&block)).unwrap();
    drop(session.take());
    meanwhile();
    let after = session.take();
    assert!(after.samples.is_empty(), "old mappings were used");
    assert!(after.deferred.len() > 50);
    session.kernel.processes.publish(pid, &block).unwrap();
    drop(session.take());
    meanwhile();
    assert!(session.take().samples.len() > 50);
    session.kernel.processes.remove(pid);
    session.kernel.processes.select_pid(pid).unwrap();
    drop(session.take());
    meanwhile();
    let after = session.take();
    assert!(
        after.samples.is_empty() && after.deferred.len() > 50,
        "a process that is gone was used"
    );
}

#[test]
fn a_stack_that_is_not_unwound_says_why() {
    let compat = |start_stack| MappingBlock {
        state: IR_PROCESS_KNOWN | IR_PROCESS_COMPAT,
        start_stack,
        ..MappingBlock::default()
    };
    for (publish, max_deferred, reason) in
        [(true, None, IR_STOP_COMPAT), (false, Some(0), IR_STOP_NOT_READY)]
    {
        let (mut session, mut subject) =
            Session::with_subject(&KernelConfig { max_deferred, ..config() });
        if publish {
            let block = compat(subject.start_stack());
            session.kernel.processes.publish(subject.pid(), &block).unwrap();
        }
        subject.tell("burn 100");
        let taken = session.take();
        let reasons: Vec<_> = taken.stacks.iter().map(|stack| stack.stop_reason).collect();
        assert_eq!(reasons, [reason]);
        assert!(taken.deferred.is_empty() && taken.samples.len() > 50);
    }
}

#[test]
fn mappings_of_another_address_space_are_not_used() {
    let (mut session, mut subject) = Session::with_subject(&config());
    let mut images = Images::default();
    let block = session.load_tables(&mut images, &subject);
    let pid = subject.pid();
    let deferred = |session: &mut Session, subject: &mut crate::subject::Subject| {
        drop(session.take());
        subject.tell("burn 100");
        let taken = session.take();
        assert!(taken.heads().count() > 50);
        (!taken.samples.is_empty(), !taken.deferred.is_empty())
    };
    session.kernel.processes.publish(pid, &block).unwrap();
    assert_eq!(deferred(&mut session, &mut subject), (true, false), "known");
    // The stack's bottom tells address spaces apart, where no exec was seen.
    let other = MappingBlock { start_stack: block.start_stack ^ 4096, ..block.clone() };
    session.kernel.processes.publish(pid, &other).unwrap();
    assert_eq!(deferred(&mut session, &mut subject), (false, true), "another exec's");
    session.kernel.processes.publish(pid, &block).unwrap();
    assert_eq!(deferred(&mut session, &mut subject), (true, false), "known again");
    assert_eq!(subject.tell("exec"), "ready");
    assert_eq!(deferred(&mut session, &mut subject), (false, true), "after an exec");
}
