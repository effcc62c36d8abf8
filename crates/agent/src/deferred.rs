//! Samples that the kernel could not unwind, because it did not know the process or a table yet. They wait here, with
//! the registers and the stack that came along, until user space can do it.

use std::{collections::VecDeque, time::Duration, time::Instant};

use infrared_bpf::DeferredSample;

/// Bytes of stack copies that wait at most: 128 of the largest, or thousands of the usual ones.
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

/// The waiting samples, oldest first.
#[derive(Debug, Default)]
pub(crate) struct DeferredQueue {
    waiting: VecDeque<(Instant, Box<DeferredSample>)>,
    bytes: usize,
}

impl DeferredQueue {
    pub(crate) fn push(&mut self, sample: Box<DeferredSample>, now: Instant) {
        self.bytes += sample.copied_bytes();
        self.waiting.push_back((now, sample));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Tries every sample once. `attempt` is told whether this is the sample's last chance, and must then be done with
    /// it.
    pub(crate) fn retry(
        &mut self,
        now: Instant,
        mut attempt: impl FnMut(&DeferredSample, LastChance) -> Outcome,
    ) {
        let bytes = &mut self.bytes;
        self.waiting.retain(|(since, sample)| {
            let last = *bytes > CAPACITY_BYTES || now.duration_since(*since) >= PATIENCE;
            let waits = attempt(sample, LastChance(last)) == Outcome::Waits && !last;
            if !waits {
                *bytes -= sample.copied_bytes();
            }
            waits
        });
    }

    /// Deals with every sample now.
    pub(crate) fn finish(
        &mut self,
        mut attempt: impl FnMut(&DeferredSample, LastChance) -> Outcome,
    ) {
        self.bytes = 0;
        for (_, sample) in self.waiting.drain(..) {
            attempt(&sample, LastChance(true));
        }
    }
}

/// Whether a sample will not be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastChance(pub(crate) bool);

#[cfg(test)]
mod tests {
    use infrared_bpf::CopiedMemory;
    use infrared_bpf::abi::{ir_registers, ir_sample};

    use super::*;

    fn sample() -> Box<DeferredSample> {
        let (sample, registers) = (ir_sample::default(), ir_registers::default());
        let memory = vec![CopiedMemory { address: 0, bytes: vec![0; 1 << 20] }];
        Box::new(DeferredSample { sample, registers, memory })
    }

    #[test]
    fn a_sample_waits_until_it_is_done_or_out_of_patience() {
        let (mut queue, start) = (DeferredQueue::default(), Instant::now());
        queue.push(sample(), start);
        let mut chances = Vec::new();
        for later in [Duration::ZERO, PATIENCE / 2, PATIENCE, PATIENCE * 2] {
            queue.retry(start + later, |_, last| {
                chances.push(last.0);
                Outcome::Waits
            });
        }
        assert_eq!(chances, [false, false, true], "given up after the last chance");
        assert!(queue.is_empty());
    }

    #[test]
    fn the_oldest_have_their_last_chance_when_too_many_wait() {
        let (mut queue, now) = (DeferredQueue::default(), Instant::now());
        for _ in 0..(CAPACITY_BYTES >> 20) + 3 {
            queue.push(sample(), now);
        }
        let mut last = 0;
        queue.retry(now, |_, chance| {
            last += usize::from(chance.0);
            Outcome::Waits
        });
        assert_eq!(last, 3);
    }
}
