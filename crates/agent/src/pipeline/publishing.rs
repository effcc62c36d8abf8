//! What the kernel side is told of processes, and what happens when it has no room.

use infrared_bpf::{
    KernelError, MappingBlock,
    abi::{IR_PROCESS_COMPAT, IR_PROCESS_KNOWN, IR_PROCESS_MAKES_CODE, IR_PROCESS_SETTLED},
};

use super::{Command, Pipeline};
use crate::{
    images::ImageRegistry,
    losses::Loss,
    watch::{ImageRef, Space, SpaceId},
};

/// Processes whose mappings are forgotten at most to make room for one.
const MAX_EVICTED: usize = 8;

/// An address space as the kernel side has it.
pub(super) fn block(space: &Space, images: &ImageRegistry) -> MappingBlock {
    let is_32_bit = space.mappings.iter().any(|code| match code.image {
        ImageRef::Known { image, .. } => images.get(image).is_some_and(|image| image.is_32_bit),
        _ => false,
    });
    let compat = if is_32_bit { IR_PROCESS_COMPAT } else { 0 };
    let settled = if space.told.is_settled { IR_PROCESS_SETTLED } else { 0 };
    let makes_code = space.runtimes.states.as_deref().is_some_and(infrared_runtimes::makes_code);
    let makes_code = if makes_code { IR_PROCESS_MAKES_CODE } else { 0 };
    MappingBlock {
        mappings: space.mappings.to_kernel(|image| images.kernel_number(image)),
        state: IR_PROCESS_KNOWN | compat | settled | makes_code,
        start_stack: space.start_stack,
        runtimes: space.runtimes.states.clone(),
    }
}

impl Pipeline {
    /// Tells of every sampled process that runs and is out of date on the kernel side.
    ///
    /// An exec between reading a process and telling of it would give the new address space the old mappings. So what was
    /// read counts only once the events up to then are known; and an exec after that sets the stack's bottom anew, by which
    /// the kernel side tells address spaces apart.
    pub(super) fn publish(&mut self) {
        let images = &self.images;
        for (pid, process) in self.table.iter_mut() {
            let is_wanted = process.is_sampled() && process.exited_ns.is_none();
            let space = process.current_mut();
            if is_wanted && space.told.is_dirty && space.is_complete && space.start_stack != 0 {
                space.told.is_dirty = false;
                let block = block(space, images);
                self.commands.push(Command::Publish { pid, space: space.id, block });
            }
        }
    }

    /// What came of telling the kernel side of an address space, at `at_ns` (`CLOCK_MONOTONIC`). Returns what is to be done
    /// to make room, after which it is tried again.
    pub(crate) fn published(
        &mut self,
        pid: u32,
        id: SpaceId,
        result: Result<(), &KernelError>,
        at_ns: u64,
    ) -> Vec<Command> {
        let Some(process) = self.table.of_space(pid, id) else { return Vec::new() };
        let Some(space) = process.space_mut(id) else { return Vec::new() };
        match result {
            Ok(()) => {
                space.published(at_ns);
                Vec::new()
            }
            Err(error) => {
                space.told.is_dirty = true;
                self.losses.add(Loss::UnpublishedProcess, 1);
                tracing::debug!(pid, %error, "cannot publish the mappings of a process");
                self.evict(pid)
            }
        }
    }

    /// Makes room: those that were sampled longest ago are forgotten. They are told of again when they are sampled.
    fn evict(&mut self, but: u32) -> Vec<Command> {
        let published = self.table.iter_mut().filter(|(pid, process)| {
            *pid != but && process.exited_ns.is_none() && process.current().told.at_ns != 0
        });
        let mut published: Vec<_> =
            published.map(|(pid, process)| (process.last_sample_ns, pid)).collect();
        published.sort_unstable();
        published.truncate(MAX_EVICTED);
        self.losses.add(Loss::EvictedProcess, published.len() as u64);
        let mut commands = Vec::new();
        for (_, pid) in published {
            if let Some(process) = self.table.get_mut(pid) {
                let space = process.current_mut();
                // Not before its next sample.
                space.told.at_ns = 0;
                space.told.is_evicted = true;
            }
            commands.push(Command::ForgetMappings(pid));
        }
        commands
    }
}
