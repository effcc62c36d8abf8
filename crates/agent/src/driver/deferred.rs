//! Samples whose stacks came along as copies, because their tables were still being read: unwound here, once they are.

use std::time::{Duration, Instant};

use infrared_bpf::{DeferredSample, UserStack, abi};

use super::{
    BUSY_TICK, Driver, State,
    deferred_queue::{LastChance, Outcome},
};
use crate::{images::ImageState, publish};

/// At the end, images that are still being read are waited for this long.
const FINISH_PATIENCE: Duration = Duration::from_secs(5);
/// The hash of a stack of which nothing is known.
const GONE_HASH: u64 = 0x676f_6e65;

impl Driver {
    pub(super) fn retry_deferred(&mut self, state: &mut State, may_help: bool) {
        if state.deferred.is_empty() {
            return;
        }
        let mut queue = std::mem::take(&mut state.deferred);
        queue.retry(Instant::now(), may_help, |sample, last| {
            self.unwind_deferred(state, sample, last)
        });
        state.deferred = queue;
    }

    pub(super) fn finish_deferred(&mut self, state: &mut State) {
        let until = Instant::now() + FINISH_PATIENCE;
        while !state.deferred.is_empty() && self.images.is_busy() && Instant::now() < until {
            std::thread::sleep(BUSY_TICK);
            let may_help = self.settle(state);
            self.retry_deferred(state, may_help);
        }
        let mut queue = std::mem::take(&mut state.deferred);
        queue.finish(|sample, last| self.unwind_deferred(state, sample, last));
    }

    fn unwind_deferred(
        &mut self,
        state: &mut State,
        deferred: &DeferredSample,
        last: LastChance,
    ) -> Outcome {
        let sample = &deferred.sample;
        let generation = self.attend(state, sample);
        let Some(process) = state.table.get(sample.pid) else { return Outcome::Done };
        let block = publish::block(process, generation, &self.images);
        let copied = infrared_bpf::CopiedStack {
            registers: &deferred.registers,
            in_syscall: sample.flags & abi::IR_SAMPLE_IN_SYSCALL != 0,
            memory: &deferred.memory,
        };
        let mut unwound = state.host.unwind(&self.kernel.tables, sample.pid, &block, copied);
        let lacks_table = unwound.may_improve && unwound.stack.stop_reason == abi::IR_STOP_NO_TABLE;
        if lacks_table && !last.0 && self.reads_something_for(&block) {
            return Outcome::Waits;
        }
        if unwound.stack.frames.is_empty() && block.mappings.is_empty() {
            unwound.stack = UserStack {
                stop_reason: abi::IR_STOP_PROCESS_GONE,
                hash: GONE_HASH,
                ..unwound.stack
            };
        }
        let hash = unwound.stack.hash;
        self.announce_perf_map(state, unwound.stack.pid);
        state.window.add_user_stack(unwound.stack);
        self.add_sample(state, sample, hash);
        Outcome::Done
    }

    /// Whether waiting can help: an image of the process is being read, or an evicted table can be read again.
    fn reads_something_for(&mut self, block: &infrared_bpf::MappingBlock) -> bool {
        let mut reloads = false;
        for mapping in &block.mappings {
            let image = crate::images::ImageId(mapping.image);
            if self.images.get(image).is_some_and(|image| image.state == ImageState::Evicted) {
                self.images.reload(image);
                reloads = true;
            }
        }
        reloads || block.mappings.iter().any(|mapping| mapping.image == abi::IR_IMAGE_PENDING)
    }
}
