//! Samples whose stacks came along as copies, because their process or its tables were not known yet: unwound here, once
//! they are.

use infrared_bpf::{
    CopiedStack, DeferredSample, MappingBlock, PageKey, Record, UserStack, abi, pages_pointed_at,
};

use super::{
    Pipeline, Tables,
    deferred_queue::{Attempt, DeferredQueue, News, Outcome, Waiting},
    publishing::block,
};
use crate::{
    images::ImageId,
    watch::{Asked, ImageRef, MappedCode, SpaceId},
};

/// Pages that one copied stack asks for at once.
const PAGES_AHEAD: usize = 64;
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
            returns: &deferred.returns,
            calls: &deferred.calls,
        };
        let mut unwound = tables.walk(sample.pid, &block, copied);
        let lacks_table = unwound.may_improve && unwound.stack.stop_reason == abi::IR_STOP_NO_TABLE;
        if lacks_table && !is_last {
            if let Some(missing) = unwound.missing {
                self.want_pages(missing, &block, copied, tables);
                if !self.images.contains(ImageId(missing.image)) {
                    self.find_again(sample.pid, id, ImageId(missing.image), now_ns);
                }
                return Outcome::Waits;
            }
            let is_pending =
                block.mappings.iter().any(|mapping| mapping.image == abi::IR_IMAGE_PENDING);
            if is_pending {
                self.come_upon(sample.pid, id, last_call(&unwound.stack), now_ns);
            }
            if is_asked || is_pending {
                return Outcome::Waits;
            }
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

    /// A walk stopped in a mapping whose image is not known yet: it is the next to be read. Of a process with very many,
    /// nobody has looked at it.
    fn come_upon(&mut self, pid: u32, id: SpaceId, address: u64, now_ns: u64) {
        let space = self.table.of_space(pid, id).and_then(|process| process.space_mut(id));
        let Some(space) = space else { return };
        if let Some(MappedCode { image: ImageRef::Known { image, .. }, .. }) =
            space.mappings.find(address)
        {
            self.images.hurry(*image);
        } else if space.mappings.is_crowded() {
            space.come_upon(address);
            self.ask_for(pid, id, true, now_ns);
        }
    }

    /// An image made room for others, and is wanted again: its file is looked for as at first.
    fn find_again(&mut self, pid: u32, id: SpaceId, gone: ImageId, now_ns: u64) {
        if let Some(process) = self.table.of_space(pid, id)
            && let Some(space) = process.space_mut(id)
        {
            space.forget_image(gone);
        }
        self.ask_for(pid, id, true, now_ns);
    }

    /// Has the page made that a walk lacks, and those that it will lack next.
    fn want_pages(
        &mut self,
        missing: PageKey,
        block: &MappingBlock,
        stack: CopiedStack<'_>,
        tables: &dyn Tables,
    ) {
        for key in pages_pointed_at(block, stack, PAGES_AHEAD, |key| !tables.contains(key)) {
            self.images.want(key, tables);
        }
        self.images.want(missing, tables);
    }

    /// Has the page made that the kernel's walk lacked: its sample waits for events that are on their way.
    pub(super) fn want_missing(&mut self, record: &Record, tables: &dyn Tables) {
        if let Record::Deferred(deferred) = record
            && let Some(missing) = deferred.missing
        {
            self.images.want(missing, tables);
        }
    }
}

/// The address of the call in the last frame of a stack.
fn last_call(stack: &UserStack) -> u64 {
    stack.frames.last().map_or(0, abi::ir_frame::lookup_address)
}
