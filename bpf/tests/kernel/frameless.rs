//! Callers of code that has neither a table nor a frame pointer: searched on the stack, here and there.

use infrared_bpf::{
    HostUnwinder, UserStack,
    abi::{
        IR_FRAME_LOW_CONFIDENCE, IR_FRAME_RETURN_ADDRESS, IR_IMAGE_NONE, IR_STOP_COMPLETE,
        IR_STOP_NO_CFI, ir_mapping,
    },
};

use crate::{
    session::{Session, config},
    stacks::{copied, meanwhile, spinning},
    support::images::Images,
};

/// The function that called the code is not longer.
const CALLER_BYTES: u64 = 512;

/// A subject that spins in such code.
struct Spun {
    /// Where the code's caller begins.
    caller: u64,
    mappings: Vec<ir_mapping>,
    /// As the walk over a copy finds it.
    of_copy: UserStack,
    /// As the kernel does, once it knows the subject's mappings.
    of_kernel: Vec<UserStack>,
}

fn spin(command: &str) -> Spun {
    let (mut session, mut subject) = Session::with_subject(&config());
    let [caller] = subject.numbers(command)[..] else { panic!("a number") };
    meanwhile();
    let copies = session.take();
    let mut images = Images::default();
    let block = session.load_tables(&mut images, &subject);
    let copy = spinning(&copies);
    let mut host = HostUnwinder::new(session.kernel.hash_key());
    let found = host.unwind(&session.kernel.tables, subject.pid(), &block, copied(copy));
    assert!(!found.may_improve);
    session.kernel.processes.publish(subject.pid(), &block).unwrap();
    meanwhile();
    let of_kernel = session.take().stacks;
    Spun { caller, mappings: block.mappings, of_copy: found.stack, of_kernel }
}

/// The same with `room` bytes on its stack, which the kernel and the walk over a copy find alike.
fn spun(room: u32) -> (u64, Vec<ir_mapping>, UserStack) {
    let Spun { caller, mappings, of_copy, of_kernel } = spin(&format!("frameless {room}"));
    assert!(of_kernel.contains(&of_copy), "{of_copy:x?}\n{of_kernel:x?}");
    (caller, mappings, of_copy)
}

#[test]
fn the_caller_of_code_without_frame_pointers_is_found_and_is_a_guess() {
    let (caller, mappings, stack) = spun(0x200);
    assert_eq!(stack.stop_reason, IR_STOP_COMPLETE, "{:x?}", stack.frames);
    // the code, its caller, main, three of the C library and loader
    assert_eq!(stack.frames.len(), 6, "{:x?}", stack.frames);
    let [leaf, first, rest @ ..] = &stack.frames[..] else { panic!("two frames") };
    assert_eq!((leaf.image(), leaf.flags()), (IR_IMAGE_NONE, IR_FRAME_LOW_CONFIDENCE));
    assert!(rest.iter().chain([first]).all(|f| f.flags() == IR_FRAME_RETURN_ADDRESS));
    let bias = mappings.iter().find(|mapping| mapping.image == first.image()).unwrap().bias;
    let inside = first.address().wrapping_add(bias).wrapping_sub(caller);
    assert!(inside < CALLER_BYTES, "{inside:#x} into the caller");
}

#[test]
fn a_caller_that_is_out_of_reach_is_not_made_up() {
    let (_, _, stack) = spun(0x1000);
    assert_eq!((stack.stop_reason, stack.frames.len()), (IR_STOP_NO_CFI, 1), "{:x?}", stack.frames);
}

#[test]
fn above_more_calls_than_are_noted_with_a_copy_the_caller_is_found_once_there_are_tables() {
    let Spun { of_copy, of_kernel, .. } = spin("crowded 512");
    let end = |stack: &UserStack| (stack.stop_reason, stack.frames.len());
    assert_eq!(end(&of_copy), (IR_STOP_NO_CFI, 1), "{:x?}", of_copy.frames);
    assert!(of_kernel.iter().any(|stack| end(stack) == (IR_STOP_COMPLETE, 6)), "{of_kernel:x?}");
}
