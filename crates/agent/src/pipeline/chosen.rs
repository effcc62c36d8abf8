//! Processes that were chosen by their numbers: they are known before they are sampled, so that their first stacks are as whole as
//! their last, with what an interpreter or a virtual machine runs in them.

use super::Pipeline;
use crate::{
    watch::{Asked, Space},
    window::Window,
};

impl Pipeline {
    /// Has read what is lacking of these processes. Returns whether all is known and told of them that can be. To be called
    /// until then.
    pub(crate) fn prepare(&mut self, pids: &[u32], now_ns: u64) -> bool {
        let mut is_ready = !self.images.is_busy();
        for pid in pids {
            let process = self.table.entry(*pid);
            if process.exited_ns.is_some() {
                continue;
            }
            process.last_sample_ns = now_ns;
            let space = process.current_mut();
            space.last_sample_ns = now_ns;
            let (id, is_known) = (space.id, is_known(space, now_ns));
            is_ready &= is_known;
            self.ask_for(*pid, id, true, now_ns);
        }
        is_ready
    }

    /// Sampling begins now.
    pub(crate) fn begin(&mut self, now_ns: u64) {
        if self.window.len() == 0 {
            self.window = Window::open(now_ns);
        }
    }
}

fn is_known(space: &Space, now_ns: u64) -> bool {
    let is_told = space.told.at_ns != 0 && !space.told.is_dirty;
    let is_read = space.is_complete && !space.is_unresolved && space.identity.is_some();
    let is_asked = matches!(space.asked, Asked::Waits(_))
        || !space.runtimes.attachments.due(now_ns).is_empty();
    space.asked == Asked::Gone || (is_told && is_read && !is_asked)
}
