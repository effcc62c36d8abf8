//! Samples whose stacks came along as copies, because their process or its tables were not known yet: unwound here, once
//! they are.

use infrared_bpf::{CopiedStack, DeferredSample, UserStack, abi};

use super::{
    Pipeline, Tables,
    deferred_queue::{Attempt, DeferredQueue, News, Outcome, Waiting},
    publishing::block,
};
use crate::{
    images::{ImageId, ImageState},
    watch::{Asked, SpaceId},
};

/// The hash of a stack of which nothing is known.
const GONE_HASH: u64 = 0x676f_6e65;

impl Pipeline {
    pub(super) fn defer(&mut self, sample: Box<DeferredSample>, now_ns: u64) {
        // What it needs is read while it waits.
        let space = self.attend(&sample.sample, now_ns);
        if let Some(process) = self.table.of_space(sample.sample.pid, space)
            && let Some(space) = process.space_mut(space)
            && std::mem::take(&mut space.told.is_evicted)
        {
            space.told.is_dirty = true;
        }
        let kernel_stack = self.window.kernel_stack(sample.sample.kernel_stack).cloned();
        self.deferred.push(Waiting { sample, kernel_stack }, now_ns);
    }

    pub(super) fn retry_deferred(&mut self, news: News, now_ns: u64, tables: &mut dyn Tables) {
        if self.deferred.is_empty() {
            return;
        }
        let mut queue = std::mem::take(&mut self.deferred);
        queue.retry(now_ns, news, |waiting, attempt| self.unwind(waiting, attempt, now_ns, tables));
        self.deferred = queue;
    }

    pub(super) fn finish_deferred(&mut self, tables: &mut dyn Tables) {
        let mut queue: DeferredQueue = std::mem::take(&mut self.deferred);
        queue.finish(|waiting, attempt| self.unwind(waiting, attempt, 0, tables));
    }

    fn unwind(
        &mut self,
        waiting: &Waiting,
        attempt: Attempt,
        now_ns: u64,
        tables: &mut dyn Tables,
    ) -> Outcome {
        let deferred = &*waiting.sample;
        let (sample, is_last) = (&deferred.sample, attempt == Attempt::Last);
        let id = self.attend(sample, now_ns);
        let Some(space) = self.table.space(sample.pid, id) else { return Outcome::Done };
        let is_asked = matches!(space.asked, Asked::Waits(_));
        if !is_last && self.awaits_code(sample.pid, id) {
            return Outcome::Waits;
        }
        let block = block(space, &self.images);
        let copied = CopiedStack {
            registers: &deferred.registers,
            in_syscall: sample.flags & abi::IR_SAMPLE_IN_SYSCALL != 0,
            memory: &deferred.memory,
        };
        let mut unwound = tables.walk(sample.pid, &block, copied);
        let lacks_table = unwound.may_improve && unwound.stack.stop_reason == abi::IR_STOP_NO_TABLE;
        if lacks_table && !is_last && (is_asked || self.reads_something_for(&block)) {
            return Outcome::Waits;
        }
        if unwound.stack.frames.is_empty() && block.mappings.is_empty() {
            unwound.stack = UserStack {
                stop_reason: abi::IR_STOP_PROCESS_GONE,
                hash: GONE_HASH,
                ..unwound.stack
            };
        }
        self.settle(sample.pid, id, unwound.stack.stop_reason);
        let hash = unwound.stack.hash;
        self.announce_perf_map(unwound.stack.pid, now_ns);
        self.window.add_user_stack(unwound.stack);
        if let Some(stack) = &waiting.kernel_stack {
            self.window.add_kernel_stack(stack.clone());
        }
        self.add_sample(sample, hash, now_ns);
        Outcome::Done
    }

    /// A return address that is nowhere although all mappings are known: that will be so until they change. The kernel side
    /// need not ask again.
    fn settle(&mut self, pid: u32, id: SpaceId, stop_reason: u32) {
        if stop_reason == abi::IR_STOP_NO_MAPPING
            && let Some(process) = self.table.of_space(pid, id)
            && let Some(space) = process.space_mut(id)
            && space.is_complete
            && !space.told.is_settled
        {
            space.told.is_settled = true;
            space.told.is_dirty = true;
        }
    }

    /// Whether waiting can help: an image of the process is being read, or an evicted table can be read again.
    fn reads_something_for(&mut self, block: &infrared_bpf::MappingBlock) -> bool {
        let mut reloads = false;
        for mapping in &block.mappings {
            let image = ImageId(mapping.image);
            if self.images.get(image).is_some_and(|image| image.state == ImageState::Evicted) {
                self.images.reload(image);
                reloads = true;
            }
        }
        reloads || block.mappings.iter().any(|mapping| mapping.image == abi::IR_IMAGE_PENDING)
    }
}
