//! Decodes the records of the ring buffer. Pure: bytes in, records out.

use std::sync::Arc;

use infrared_abi::{
    IR_COPY_PAGE, IR_COPY_PAGES, IR_COPY_WORDS, IR_FRAME_NATIVE, IR_IMAGE_FIRST,
    IR_RECORD_DEFERRED, IR_RECORD_EXEC, IR_RECORD_KERNEL_STACK, IR_RECORD_SAMPLE, IR_RETURNS, Pod,
    ir_calls, ir_deferred, ir_exec, ir_frame, ir_kernel_stack, ir_registers, ir_return, ir_sample,
    ir_stack, read,
};

use crate::tables::PageKey;

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

impl UserStack {
    /// Whether it leads through native code without an image, as a JIT's.
    pub fn has_anonymous_code(&self) -> bool {
        let is_anonymous =
            |frame: &ir_frame| frame.kind() == IR_FRAME_NATIVE && frame.space < IR_IMAGE_FIRST;
        self.pid != 0 && self.frames.iter().any(is_anonymous)
    }
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
    /// The page of a table that the kernel's walk lacked.
    pub missing: Option<PageKey>,
    /// Return addresses that uretprobes have replaced, the innermost first; slot 0: no more.
    pub returns: [ir_return; IR_RETURNS as usize],
    /// The calls that the top of the stack tells of.
    pub calls: Box<ir_calls>,
    /// The thread's stack from the stack pointer's page up; where that is the stack of a signal handler, the thread's own
    /// up to its root besides; where it is the system stack of Go's runtime, that of the goroutine, and what tells of it. In
    /// order of address.
    pub memory: Vec<CopiedMemory>,
}

/// A piece of a process's memory, in pages that copies of one stack share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopiedMemory {
    /// Runtime address of the first byte.
    pub address: u64,
    /// [`IR_COPY_PAGE`] bytes each; the last may have fewer.
    pub pages: Vec<Arc<[u8]>>,
}

impl CopiedMemory {
    /// Of the bytes from an address on.
    pub fn new(address: u64, bytes: &[u8]) -> Self {
        Self { address, pages: bytes.chunks(PAGE).map(Arc::from).collect() }
    }

    /// Neighbours become one. `pages` are in order of address.
    fn joined(pages: &[(u64, &[u8])]) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::new();
        for (address, bytes) in pages {
            match joined.last_mut() {
                Some(last) if last.address.wrapping_add(last.len() as u64) == *address => {
                    last.pages.push(Arc::from(*bytes));
                }
                _ => joined.push(Self::new(*address, bytes)),
            }
        }
        joined
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.pages.iter().map(|page| page.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Fills `target` with the bytes at a runtime address. `false` if not all of them were copied.
    pub fn read(&self, address: u64, target: &mut [u8]) -> bool {
        let Some(offset) = address.checked_sub(self.address) else { return false };
        let (mut offset, mut filled) = (offset, 0);
        while filled < target.len() {
            let page = usize::try_from(offset / PAGE as u64).ok().and_then(|at| self.pages.get(at));
            let rest = page.and_then(|page| page.get(offset as usize % PAGE..)).unwrap_or_default();
            if rest.is_empty() {
                return false;
            }
            let count = rest.len().min(target.len() - filled);
            target[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
            offset += count as u64;
        }
        true
    }
}

const PAGE: usize = IR_COPY_PAGE as usize;

/// A process executes another program.
#[derive(Clone, PartialEq, Eq)]
pub struct Exec {
    pub pid: u32,
    /// `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// The beginning of its environment: entries that end with a NUL each, the last of which may be cut.
    pub environment: Vec<u8>,
}

/// An environment is full of secrets.
impl std::fmt::Debug for Exec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exec").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// One record of the ring buffer.
#[derive(Clone, Debug)]
pub enum Record {
    Sample(ir_sample),
    UserStack(UserStack),
    KernelStack(KernelStack),
    Deferred(Box<DeferredSample>),
    Exec(Exec),
}

impl Record {
    /// Takes the records out of one of the ring buffer's: a sample may have its user stack behind it. `false` if the bytes are
    /// no record: too short, or of an unknown type.
    pub(crate) fn decode(bytes: &[u8], records: &mut Vec<Self>) -> bool {
        let decoded = match read::<u32>(bytes) {
            Some(IR_RECORD_SAMPLE) => Self::sample(bytes, records),
            Some(IR_RECORD_KERNEL_STACK) => Self::kernel_stack(bytes),
            Some(IR_RECORD_DEFERRED) => Self::deferred(bytes),
            Some(IR_RECORD_EXEC) => Self::exec(bytes),
            _ => None,
        };
        let is_record = decoded.is_some();
        records.extend(decoded);
        is_record
    }

    fn sample(bytes: &[u8], records: &mut Vec<Self>) -> Option<Self> {
        let sample: ir_sample = read(bytes)?;
        if sample.stack_bytes != 0 {
            let bytes = bytes.get(size_of::<ir_sample>()..)?;
            let head: ir_stack = read(bytes)?;
            let frames = elements(bytes.get(size_of::<ir_stack>()..)?, head.count)?;
            let (hash, stop_reason, pid) = (head.hash, head.stop_reason, head.pid);
            records.push(Self::UserStack(UserStack { hash, stop_reason, pid, frames }));
        }
        Some(Self::Sample(sample))
    }

    fn kernel_stack(bytes: &[u8]) -> Option<Self> {
        let head: ir_kernel_stack = read(bytes)?;
        let addresses = elements(bytes.get(size_of::<ir_kernel_stack>()..)?, head.count)?;
        Some(Self::KernelStack(KernelStack { hash: head.hash, addresses }))
    }

    fn exec(bytes: &[u8]) -> Option<Self> {
        let head: ir_exec = read(bytes)?;
        let environment = bytes.get(size_of::<ir_exec>()..)?;
        let environment = environment.get(..head.environment_bytes as usize)?.to_vec();
        Some(Self::Exec(Exec { pid: head.pid, time_ns: head.time_ns, environment }))
    }

    fn deferred(bytes: &[u8]) -> Option<Self> {
        let head: ir_deferred = read(bytes)?;
        let (up, down) = (head.stack_pages, head.root_pages);
        let page_at =
            |base: u64, number: u32| base.wrapping_add(u64::from(number) * u64::from(IR_COPY_PAGE));
        let above = pages_of(up).map(|number| page_at(head.stack_address, number));
        let below = pages_of(down)
            .map(|number| head.root_address.wrapping_sub(page_at(u64::from(IR_COPY_PAGE), number)));
        let mut copies = bytes.get(size_of::<ir_deferred>()..)?.chunks_exact(IR_COPY_PAGE as usize);
        let others = head.other_pages.into_iter().filter(|address| *address != 0);
        let mut pages = (above.chain(others).chain(below))
            .map(|at| Some((at, copies.next()?)))
            .collect::<Option<Vec<_>>>()?;
        pages.sort_by_key(|(address, _)| *address);
        pages.dedup_by_key(|(address, _)| *address);
        Some(Self::Deferred(Box::new(DeferredSample {
            sample: head.sample,
            registers: head.registers,
            missing: PageKey::missing(head.missing),
            returns: head.returns,
            calls: Box::new(head.calls),
            memory: CopiedMemory::joined(&pages),
        })))
    }
}

fn pages_of(words: [u64; IR_COPY_WORDS as usize]) -> impl Iterator<Item = u32> {
    let is_set = move |number: &u32| words[(number / 64) as usize] >> (number % 64) & 1 == 1;
    (0..IR_COPY_PAGES).filter(is_set)
}

fn elements<T: Pod>(bytes: &[u8], count: u32) -> Option<Vec<T>> {
    let size = size_of::<T>();
    let bytes = bytes.get(..(count as usize).checked_mul(size)?)?;
    let mut elements = Vec::with_capacity(count as usize);
    elements.extend(bytes.chunks_exact(size).filter_map(read::<T>));
    Some(elements)
}

#[cfg(test)]
mod tests {
    use infrared_abi::{IR_RECORD_STACK, bytes_of};

    use super::*;

    fn decode(bytes: &[u8]) -> Option<Vec<Record>> {
        let mut records = Vec::new();
        Record::decode(bytes, &mut records).then_some(records)
    }

    const STACK: ir_stack =
        ir_stack { type_: IR_RECORD_STACK, count: 2, hash: 7, stop_reason: 3, pid: 9 };

    #[test]
    fn a_sample_comes_after_the_stack_that_is_sent_with_it() {
        let frame = ir_frame::native(0x1000, 16, 1);
        let sample = ir_sample { type_: IR_RECORD_SAMPLE, stack_bytes: 56, ..Default::default() };
        let bytes =
            [bytes_of(&sample), bytes_of(&STACK), bytes_of(&frame), bytes_of(&frame)].concat();
        let records = decode(&bytes).unwrap();
        let [Record::UserStack(stack), Record::Sample(_)] = &records[..] else {
            panic!("{records:?}")
        };
        assert_eq!(
            *stack,
            UserStack { hash: 7, stop_reason: 3, pid: 9, frames: vec![frame, frame] }
        );
        let alone = ir_sample { stack_bytes: 0, ..sample };
        assert!(matches!(decode(bytes_of(&alone)).unwrap()[..], [Record::Sample(_)]));
    }

    #[test]
    fn copied_pages_are_put_where_they_were() {
        let head = ir_deferred {
            sample: ir_sample { type_: IR_RECORD_DEFERRED, ..Default::default() },
            stack_address: 0x7000,
            stack_pages: [0b101, 0, 0, 1],
            root_address: 0x9_0000,
            root_pages: [1 << 63 | 0b1011, 0, 0, 0],
            other_pages: [0, 0xa000, 0x9000, 0, 0],
            ..Default::default()
        };
        let pages = [1, 2, 7, 8, 9, 6, 5, 4, 3].map(|byte| vec![byte; PAGE]).concat();
        let bytes = [bytes_of(&head), &pages].concat();
        let records = decode(&bytes).unwrap();
        let [Record::Deferred(deferred)] = &records[..] else { panic!("{records:?}") };
        let piece = |address, bytes: &[u8]| CopiedMemory {
            address,
            pages: bytes.iter().map(|byte| [*byte; PAGE].into()).collect(),
        };
        let expected = [
            piece(0x7000, &[1]),
            piece(0x9000, &[2, 8]),
            piece(0x5_0000, &[3]),
            piece(0x8_c000, &[4]),
            piece(0x8_e000, &[5, 6]),
            piece(0xc_7000, &[7]),
        ];
        assert!(deferred.memory == expected);
        assert!(decode(&bytes[..bytes.len() - 1]).is_none(), "a page is torn");
    }

    #[test]
    fn memory_is_read_across_pages_and_not_beyond() {
        let memory = CopiedMemory::new(0x7000, &[[1; PAGE], [2; PAGE]].concat());
        let mut word = [0; 8];
        assert!(memory.read(0x7ffc, &mut word));
        assert_eq!(word, [1, 1, 1, 1, 2, 2, 2, 2]);
        assert!(memory.read(0x8ff8, &mut word));
        assert!(!memory.read(0x8ff9, &mut word) && !memory.read(0x6fff, &mut word));
        assert!(!memory.read(u64::MAX, &mut word));
    }

    #[test]
    fn short_or_unknown_bytes_are_no_record() {
        let sample = ir_sample { type_: IR_RECORD_SAMPLE, stack_bytes: 56, ..Default::default() };
        let torn = [bytes_of(&sample), bytes_of(&STACK)].concat();
        let exec = ir_exec { type_: IR_RECORD_EXEC, environment_bytes: 1, ..Default::default() };
        for bytes in [&[][..], &[1, 0, 0], &torn, bytes_of(&exec), &99u32.to_ne_bytes()] {
            assert!(decode(bytes).is_none());
        }
    }
}
