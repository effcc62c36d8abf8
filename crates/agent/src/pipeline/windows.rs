//! When windows close, and with what.

use std::sync::Arc;

use infrared_bpf::{SidebandEvent, SidebandRecord};

use super::{Command, Pipeline};
use crate::{
    images::ImageId,
    watch::ImageRef,
    window::{ClosedWindow, ImageSnapshot, KernelSymbol, ProcessRef, Span},
};

/// Samples that a window holds at most; it closes early when it is full.
const MAX_WINDOW_SAMPLES: usize = 1 << 20;
/// A window waits so long, in nanoseconds, for what is being read of its processes.
const ANSWERS_NS: u64 = 500_000_000;

impl Pipeline {
    /// When the open window is due, `CLOCK_MONOTONIC`.
    pub(crate) fn window_due_ns(&self) -> u64 {
        let length = self.config.pace.window(self.window_index);
        self.window.start_ns().saturating_add(length.as_nanos() as u64)
    }

    pub(super) fn close_window_if_due(&mut self, now_ns: u64, is_naming_behind: bool) {
        let due_ns = self.window_due_ns();
        let is_due = now_ns >= due_ns && !is_naming_behind;
        let may_wait = now_ns < due_ns.saturating_add(ANSWERS_NS);
        if (is_due && !(may_wait && self.window_waits())) || self.window.len() >= MAX_WINDOW_SAMPLES
        {
            self.close_window(now_ns);
        }
    }

    /// Kernel code that comes and goes is named when the window is.
    pub(super) fn note_kernel_symbol(&mut self, record: &SidebandRecord) {
        match &record.event {
            SidebandEvent::KernelSymbol { address, length, name, is_gone } => {
                self.window.add_kernel_symbol(KernelSymbol {
                    time_ns: record.time_ns,
                    address: *address,
                    length: *length,
                    name: name.clone(),
                    is_gone: *is_gone,
                });
            }
            SidebandEvent::Lost { since_ns, .. } => {
                self.window
                    .lose_kernel_symbols(Span { start_ns: *since_ns, end_ns: record.time_ns });
            }
            _ => {}
        }
    }

    /// Whether something is being read that tells who its processes are, or what they run.
    pub(super) fn window_waits(&self) -> bool {
        if self.function_questions > 0 {
            return true;
        }
        let unknown = self.window.processes().iter().filter(|known| known.identity.is_none());
        unknown.into_iter().any(|known| self.awaits_identity(known.pid, known.space))
    }

    pub(super) fn close_window(&mut self, end_ns: u64) {
        let unknown: Vec<ProcessRef> = self
            .window
            .processes()
            .iter()
            .filter(|process| process.identity.is_none())
            .cloned()
            .collect();
        for process in unknown {
            let identity = self.identity_of(process.pid, process.space, &process.seen);
            self.window.learn(process.space, &identity);
        }
        self.seen_stacks.clear();
        let mut closed = self.window.close(end_ns);
        for process in &mut closed.processes {
            if let Some(space) = self.table.space(process.pid, process.space)
                && space.functions.bytes() > 0
            {
                process.functions = Arc::clone(&space.functions);
            }
        }
        closed.images = self.images_of(&closed);
        self.window_index += 1;
        self.commands.push(Command::Deliver(Box::new(closed)));
    }

    fn images_of(&self, window: &ClosedWindow) -> ImageSnapshot {
        let framed = window
            .user_stacks
            .values()
            .flat_map(|stack| stack.frames.iter().map(|frame| ImageId(frame.image())));
        let mapped =
            window.processes.iter().flat_map(|process| process.mappings.iter()).filter_map(
                |code| match code.image {
                    ImageRef::Known { image, .. } => Some(image),
                    _ => None,
                },
            );
        ImageSnapshot::take(&self.images, framed, mapped)
    }
}
