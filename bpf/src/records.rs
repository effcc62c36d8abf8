//! Decodes the records of the ring buffer. Pure: bytes in, records out.

use infrared_abi::{
    IR_RECORD_DEFERRED, IR_RECORD_KERNEL_STACK, IR_RECORD_SAMPLE, IR_RECORD_STACK, Pod,
    ir_deferred, ir_frame, ir_kernel_stack, ir_registers, ir_sample, ir_stack, read,
};

/// A user stack, leaf first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserStack {
    pub hash: u64,
    /// `enum ir_stop_reason`.
    pub stop_reason: u32,
    /// Whose frames those without an image are; 0 if all have one.
    pub pid: u32,
    pub frames: Vec<ir_frame>,
}

/// A kernel stack: runtime addresses, leaf first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelStack {
    pub hash: u64,
    pub addresses: Vec<u64>,
}

/// A sample with the memory that user space needs to unwind it.
#[derive(Clone, Debug)]
pub struct DeferredSample {
    pub sample: ir_sample,
    pub registers: ir_registers,
    /// Runtime address of the first byte of `stack`.
    pub stack_address: u64,
    pub stack: Vec<u8>,
}

/// One record of the ring buffer.
#[derive(Clone, Debug)]
pub enum Record {
    Sample(ir_sample),
    UserStack(UserStack),
    KernelStack(KernelStack),
    Deferred(Box<DeferredSample>),
}

impl Record {
    /// `None` if the bytes are no record: too short, or of an unknown type.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match read::<u32>(bytes)? {
            IR_RECORD_SAMPLE => Some(Self::Sample(read::<ir_sample>(bytes)?)),
            IR_RECORD_STACK => {
                let head: ir_stack = read(bytes)?;
                let frames = elements(bytes.get(size_of::<ir_stack>()..)?, head.count)?;
                let (hash, stop_reason, pid) = (head.hash, head.stop_reason, head.pid);
                Some(Self::UserStack(UserStack { hash, stop_reason, pid, frames }))
            }
            IR_RECORD_KERNEL_STACK => {
                let head: ir_kernel_stack = read(bytes)?;
                let addresses = elements(bytes.get(size_of::<ir_kernel_stack>()..)?, head.count)?;
                Some(Self::KernelStack(KernelStack { hash: head.hash, addresses }))
            }
            IR_RECORD_DEFERRED => {
                let head: ir_deferred = read(bytes)?;
                let stack =
                    bytes.get(size_of::<ir_deferred>()..)?.get(..head.stack_bytes as usize)?;
                Some(Self::Deferred(Box::new(DeferredSample {
                    sample: head.sample,
                    registers: head.registers,
                    stack_address: head.stack_address,
                    stack: stack.to_vec(),
                })))
            }
            _ => None,
        }
    }
}

fn elements<T: Pod>(bytes: &[u8], count: u32) -> Option<Vec<T>> {
    let size = size_of::<T>();
    bytes.get(..(count as usize).checked_mul(size)?)?.chunks_exact(size).map(read).collect()
}

#[cfg(test)]
mod tests {
    use infrared_abi::bytes_of;

    use super::*;

    #[test]
    fn a_stack_record_gives_its_frames() {
        let head = ir_stack { type_: IR_RECORD_STACK, count: 2, hash: 7, stop_reason: 3, pid: 9 };
        let frame = ir_frame { address: 0x1000, image: 16, flags: 1, reserved: 0 };
        let bytes = [bytes_of(&head), bytes_of(&frame), bytes_of(&frame)].concat();
        let Some(Record::UserStack(stack)) = Record::decode(&bytes) else { panic!("no stack") };
        assert_eq!(
            stack,
            UserStack { hash: 7, stop_reason: 3, pid: 9, frames: vec![frame, frame] }
        );
    }

    #[test]
    fn short_or_unknown_bytes_are_no_record() {
        let head = ir_stack { type_: IR_RECORD_STACK, count: 2, hash: 7, stop_reason: 3, pid: 9 };
        for bytes in [&[][..], &[1, 0, 0], bytes_of(&head), &99u32.to_ne_bytes()] {
            assert!(Record::decode(bytes).is_none());
        }
    }
}
