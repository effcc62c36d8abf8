//! Tells the kernel side of processes.

use infrared_bpf::{
    Kernel, MappingBlock,
    abi::{IR_PROCESS_COMPAT, IR_PROCESS_KNOWN},
};
use infrared_processes::{Pid, ProcFs};

use crate::{
    images::ImageRegistry,
    watch::{ImageRef, ProcessTable, WatchedProcess},
};

/// The address space `generation` of a process as the kernel side has it.
pub(crate) fn block(
    process: &WatchedProcess,
    generation: usize,
    images: &ImageRegistry,
) -> MappingBlock {
    let Some(generation) = process.generations.get(generation) else {
        return MappingBlock::default();
    };
    let is_32_bit = generation.mappings.iter().any(|code| match code.image {
        ImageRef::Known { image, .. } => images.get(image).is_some_and(|image| image.is_32_bit),
        _ => false,
    });
    MappingBlock {
        mappings: generation.mappings.to_kernel(|image| images.kernel_number(image)),
        state: IR_PROCESS_KNOWN | if is_32_bit { IR_PROCESS_COMPAT } else { 0 },
        start_stack: 0,
        go: generation.go,
    }
}

/// Publishes address spaces, and counts those that could not be.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    failed: u64,
}

impl Publisher {
    /// Publishes every sampled process that runs and is out of date.
    ///
    /// An exec between reading a process and publishing it would give the new address space the old mappings. The
    /// stack's bottom tells address spaces apart, and an exec announces itself before it sets that: so after reading
    /// it, events are drained again, and a process that has exec'ed meanwhile is left for the next turn.
    pub(crate) fn publish(
        &mut self,
        table: &mut ProcessTable,
        kernel: &mut Kernel,
        images: &ImageRegistry,
        procfs: &ProcFs,
    ) {
        let mut ready = Vec::new();
        for (pid, process) in table.iter_mut() {
            let wanted = process.is_sampled && process.is_dirty && process.exited_ns.is_none();
            if !wanted || !process.current().is_complete {
                continue;
            }
            let Ok(stat) = procfs.process(Pid(pid)).and_then(|dir| dir.stat()) else { continue };
            ready.push((
                pid,
                process.generations.len(),
                process.current().since_ns,
                stat.start_stack,
            ));
        }
        if ready.is_empty() {
            return;
        }
        for event in kernel.sideband.drain() {
            table.apply(event);
        }
        for (pid, generations, since_ns, start_stack) in ready {
            let Some(process) = table.get_mut(pid) else { continue };
            if process.generations.len() != generations || process.current().since_ns != since_ns {
                continue;
            }
            process.is_dirty = false;
            let mut space = block(process, generations - 1, images);
            space.start_stack = start_stack;
            if let Err(error) = kernel.processes.publish(pid, &space) {
                self.failed += 1;
                tracing::warn!(pid, %error, "cannot publish the mappings of a process");
            }
        }
    }
}
