//! Samples that the kernel could not unwind, because it did not know the process or a table yet. They wait here, with
//! the registers and the stack that came along, until user space can do it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use infrared_bpf::{DeferredSample, abi::IR_COPY_PAGE};

/// Bytes of stack copies that wait at most. Samples of one thread share most of theirs.
const CAPACITY_BYTES: usize = 32 << 20;
/// A sample that waits longer is unwound with what is there.
const PATIENCE: Duration = Duration::from_secs(8);

/// Whether a sample could be dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Something that it needs is still being read.
    Waits,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    sample: Box<DeferredSample>,
    was_tried: bool,
}

/// The waiting samples, oldest first.
#[derive(Debug, Default)]
pub(crate) struct DeferredQueue {
    waiting: VecDeque<Waiting>,
    pages: SharedPages,
}

impl DeferredQueue {
    pub(crate) fn push(&mut self, mut sample: Box<DeferredSample>, now: Instant) {
        for page in sample.memory.iter_mut().flat_map(|memory| &mut memory.pages) {
            self.pages.share(page);
        }
        self.waiting.push_back(Waiting { since: now, sample, was_tried: false });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Tries every sample that is new; the others too if `may_help`: something that they wait for may be there. `attempt`
    /// is told whether this is the sample's last chance, and must then be done with it.
    pub(crate) fn retry(
        &mut self,
        now: Instant,
        may_help: bool,
        mut attempt: impl FnMut(&DeferredSample, LastChance) -> Outcome,
    ) {
        let before = self.waiting.len();
        let mut too_many = self.pages.bytes().saturating_sub(CAPACITY_BYTES);
        self.waiting.retain_mut(|Waiting { since, sample, was_tried }| {
            let last = too_many > 0 || now.duration_since(*since) >= PATIENCE;
            if *was_tried && !may_help && !last {
                return true;
            }
            *was_tried = true;
            let waits = attempt(sample, LastChance(last)) == Outcome::Waits && !last;
            if !waits {
                too_many = too_many.saturating_sub(SharedPages::own_bytes(sample));
            }
            waits
        });
        if self.waiting.len() < before {
            self.pages.forget_unused();
        }
    }

    /// Deals with every sample now.
    pub(crate) fn finish(
        &mut self,
        mut attempt: impl FnMut(&DeferredSample, LastChance) -> Outcome,
    ) {
        for Waiting { sample, .. } in self.waiting.drain(..) {
            attempt(&sample, LastChance(true));
        }
        self.pages.forget_unused();
    }
}

/// Pages of stack copies, each kept once. The outer frames of a thread stay where they are, so from one sample to the next
/// most pages of a deep stack are the same.
#[derive(Debug, Default)]
struct SharedPages {
    by_content: HashMap<u64, Arc<[u8]>>,
}

impl SharedPages {
    fn share(&mut self, page: &mut Arc<[u8]>) {
        let known = self.by_content.entry(content_hash(page)).or_insert_with(|| Arc::clone(page));
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

fn content_hash(page: &[u8]) -> u64 {
    let mut words = page.chunks_exact(size_of::<u64>());
    let hash = words.by_ref().fold(0, |hash: u64, word| {
        let word = word.try_into().map_or(0, u64::from_ne_bytes);
        (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    words.remainder().iter().fold(hash, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte))
}

/// Whether a sample will not be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastChance(pub(crate) bool);

#[cfg(test)]
mod tests {
    use infrared_bpf::CopiedMemory;
    use infrared_bpf::abi::{ir_registers, ir_sample};

    use super::*;

    /// A megabyte of a stack: `from` tells its pages apart.
    fn sample(from: u64) -> Box<DeferredSample> {
        let (sample, registers) = (ir_sample::default(), ir_registers::default());
        let bytes: Vec<u8> =
            (0..1 << 17).flat_map(|word: u64| (word / 512 + from).to_ne_bytes()).collect();
        let memory = vec![CopiedMemory::new(0, &bytes)];
        Box::new(DeferredSample { sample, registers, memory })
    }

    #[test]
    fn a_sample_waits_until_it_is_done_or_out_of_patience() {
        let (mut queue, start) = (DeferredQueue::default(), Instant::now());
        queue.push(sample(0), start);
        let mut chances = Vec::new();
        for later in [Duration::ZERO, PATIENCE / 2, PATIENCE, PATIENCE * 2] {
            queue.retry(start + later, true, |_, last| {
                chances.push(last.0);
                Outcome::Waits
            });
        }
        assert_eq!(chances, [false, false, true], "given up after the last chance");
        assert!(queue.is_empty());
    }

    #[test]
    fn a_sample_is_tried_again_only_when_that_may_help() {
        let (mut queue, now) = (DeferredQueue::default(), Instant::now());
        queue.push(sample(0), now);
        let mut tries = |may_help| {
            let mut tries = 0;
            queue.retry(now, may_help, |_, _| {
                tries += 1;
                Outcome::Waits
            });
            tries
        };
        assert_eq!([tries(false), tries(false), tries(true)], [1, 0, 1]);
    }

    #[test]
    fn the_oldest_have_their_last_chance_when_too_many_wait() {
        let (mut queue, now) = (DeferredQueue::default(), Instant::now());
        for number in 0..(CAPACITY_BYTES >> 20) as u64 + 3 {
            queue.push(sample(number << 32), now);
        }
        let mut last = 0;
        queue.retry(now, true, |_, chance| {
            last += usize::from(chance.0);
            Outcome::Waits
        });
        assert_eq!(last, 3);
    }

    #[test]
    fn what_samples_have_in_common_is_kept_once() {
        let (mut queue, now) = (DeferredQueue::default(), Instant::now());
        for _ in 0..20 {
            queue.push(sample(0), now);
        }
        assert_eq!(queue.pages.bytes(), 1 << 20);
        queue.push(sample(1), now);
        assert_eq!(queue.pages.bytes(), (1 << 20) + IR_COPY_PAGE as usize, "one page is new");
        queue.finish(|_, _| Outcome::Done);
        assert_eq!(queue.pages.bytes(), 0);
    }
}
