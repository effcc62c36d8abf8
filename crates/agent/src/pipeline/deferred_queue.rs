//! Samples that the kernel could not unwind, because it did not know the process or a table yet. They wait here, with
//! the registers and the stack that came along, until user space can do it. Pure: time is told.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use infrared_bpf::{DeferredSample, KernelStack, abi::IR_COPY_PAGE};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of stack copies that wait at most. Samples of one thread share most of theirs.
const CAPACITY_BYTES: usize = 32 << 20;
/// Samples that wait at most, however little they bring along.
const CAPACITY_SAMPLES: usize = 16_384;
/// A sample that waits longer, in nanoseconds, is unwound with what is there.
const PATIENCE_NS: u64 = 8_000_000_000;

/// Whether a sample could be dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Something that it needs is still being read.
    Waits,
}

/// Which try it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// There may be another.
    OneOfSome,
    /// It has to be done with now.
    Last,
}

/// Whether something that samples wait for may be there by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    None,
    Some,
}

/// A sample, and what the window that it was taken in knows and the next may not.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) sample: Box<DeferredSample>,
    pub(crate) kernel_stack: Option<Arc<KernelStack>>,
}

#[derive(Debug)]
struct Entry {
    since_ns: u64,
    waiting: Waiting,
    was_tried: bool,
}

/// The waiting samples, oldest first.
#[derive(Debug, Default)]
pub(crate) struct DeferredQueue {
    entries: VecDeque<Entry>,
    pages: SharedPages,
}

impl DeferredQueue {
    pub(crate) fn push(&mut self, mut waiting: Waiting, now_ns: u64) {
        for page in waiting.sample.memory.iter_mut().flat_map(|memory| &mut memory.pages) {
            self.pages.share(page);
        }
        self.entries.push_back(Entry { since_ns: now_ns, waiting, was_tried: false });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Tries every sample that is new; the others too if there is news. An attempt that is the sample's last must be done
    /// with it.
    pub(crate) fn retry(
        &mut self,
        now_ns: u64,
        news: News,
        mut attempt: impl FnMut(&Waiting, Attempt) -> Outcome,
    ) {
        let before = self.entries.len();
        let mut bytes_over = self.pages.bytes().saturating_sub(CAPACITY_BYTES);
        let mut samples_over = before.saturating_sub(CAPACITY_SAMPLES);
        self.entries.retain_mut(|Entry { since_ns, waiting, was_tried }| {
            let is_last = bytes_over > 0
                || samples_over > 0
                || now_ns.saturating_sub(*since_ns) >= PATIENCE_NS;
            if *was_tried && news == News::None && !is_last {
                return true;
            }
            *was_tried = true;
            let which = if is_last { Attempt::Last } else { Attempt::OneOfSome };
            let waits = attempt(waiting, which) == Outcome::Waits && !is_last;
            if !waits {
                bytes_over = bytes_over.saturating_sub(SharedPages::own_bytes(&waiting.sample));
                samples_over = samples_over.saturating_sub(1);
            }
            waits
        });
        if self.entries.len() < before {
            self.pages.forget_unused();
        }
    }

    /// Deals with every sample now.
    pub(crate) fn finish(&mut self, mut attempt: impl FnMut(&Waiting, Attempt) -> Outcome) {
        for entry in self.entries.drain(..) {
            attempt(&entry.waiting, Attempt::Last);
        }
        self.pages.forget_unused();
    }
}

/// Pages of stack copies, each kept once. The outer frames of a thread stay where they are, so from one sample to the next
/// most pages of a deep stack are the same.
#[derive(Debug)]
struct SharedPages {
    by_content: HashMap<u64, Arc<[u8]>>,
    /// Of the hashes: a process that knew it could choose pages of one hash, which are not counted.
    key: u64,
}

impl Default for SharedPages {
    fn default() -> Self {
        Self { by_content: HashMap::new(), key: RandomState::new().hash_one(0) }
    }
}

impl SharedPages {
    fn share(&mut self, page: &mut Arc<[u8]>) {
        let hash = xxh3_64_with_seed(page, self.key);
        let known = self.by_content.entry(hash).or_insert_with(|| Arc::clone(page));
        // Should two contents have one hash, the second is on its own, and not counted.
        if **known == **page {
            *page = Arc::clone(known);
        }
    }

    fn bytes(&self) -> usize {
        self.by_content.len() * IR_COPY_PAGE as usize
    }

    /// Bytes that a sample alone has: in pages that nothing else holds but the list of all.
    fn own_bytes(sample: &DeferredSample) -> usize {
        let pages = sample.memory.iter().flat_map(|memory| &memory.pages);
        pages.filter(|page| Arc::strong_count(page) <= 2).map(|page| page.len()).sum()
    }

    fn forget_unused(&mut self) {
        self.by_content.retain(|_, page| Arc::strong_count(page) > 1);
    }
}

#[cfg(test)]
mod tests {
    use infrared_bpf::CopiedMemory;
    use infrared_bpf::abi::{ir_registers, ir_sample};

    use super::*;

    /// A megabyte of a stack: `from` tells its pages apart.
    fn sample(from: u64) -> Waiting {
        let (sample, registers) = (ir_sample::default(), ir_registers::default());
        let bytes: Vec<u8> =
            (0..1 << 17).flat_map(|word: u64| (word / 512 + from).to_ne_bytes()).collect();
        let memory = vec![CopiedMemory::new(0, &bytes)];
        let sample = Box::new(DeferredSample {
            sample,
            registers,
            missing: None,
            returns: Default::default(),
            calls: Box::default(),
            memory,
        });
        Waiting { sample, kernel_stack: None }
    }

    #[test]
    fn a_sample_waits_until_it_is_done_or_out_of_patience() {
        let mut queue = DeferredQueue::default();
        queue.push(sample(0), 1);
        let mut attempts = Vec::new();
        for later in [0, PATIENCE_NS / 2, PATIENCE_NS, PATIENCE_NS * 2] {
            queue.retry(1 + later, News::Some, |_, attempt| {
                attempts.push(attempt);
                Outcome::Waits
            });
        }
        assert_eq!(attempts, [Attempt::OneOfSome, Attempt::OneOfSome, Attempt::Last]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_sample_is_tried_again_only_when_that_may_help() {
        let mut queue = DeferredQueue::default();
        queue.push(sample(0), 1);
        let mut tries = |news| {
            let mut tries = 0;
            queue.retry(1, news, |_, _| {
                tries += 1;
                Outcome::Waits
            });
            tries
        };
        assert_eq!([tries(News::None), tries(News::None), tries(News::Some)], [1, 0, 1]);
    }

    fn last_attempts(samples: impl Iterator<Item = Waiting>) -> usize {
        let mut queue = DeferredQueue::default();
        samples.for_each(|sample| queue.push(sample, 1));
        let mut last = 0;
        queue.retry(1, News::Some, |_, attempt| {
            last += usize::from(attempt == Attempt::Last);
            Outcome::Waits
        });
        last
    }

    #[test]
    fn the_oldest_have_their_last_chance_when_too_many_wait() {
        let large = (0..(CAPACITY_BYTES >> 20) as u64 + 3).map(|number| sample(number << 32));
        assert_eq!(last_attempts(large), 3);
        let mut small = sample(0);
        small.sample.memory.clear();
        assert_eq!(last_attempts(std::iter::repeat_n(small, CAPACITY_SAMPLES + 5)), 5);
    }

    #[test]
    fn what_samples_have_in_common_is_kept_once() {
        let mut queue = DeferredQueue::default();
        for _ in 0..20 {
            queue.push(sample(0), 1);
        }
        assert_eq!(queue.pages.bytes(), 1 << 20);
        queue.push(sample(1), 1);
        assert_eq!(queue.pages.bytes(), (1 << 20) + IR_COPY_PAGE as usize, "one page is new");
        queue.finish(|_, _| Outcome::Done);
        assert_eq!(queue.pages.bytes(), 0);
    }
}
