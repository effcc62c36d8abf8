//! What is looked after once a second: processes that ended, images that were read, counters.

use std::{sync::Arc, time::Instant};

use super::{Command, Pipeline, Tables};
use crate::{
    images::ImageCounts,
    losses::{Loss, Losses},
    reader::Question,
    watch::MAX_BYTES_OF_ALL,
};

const INTERVAL_NS: u64 = 1_000_000_000;
/// Processes that are asked about in one turn.
const MAX_ASKED: usize = 4096;

/// How much there is of what the pipeline keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Levels {
    pub(crate) images: usize,
    pub(crate) image_counts: ImageCounts,
    pub(crate) processes: usize,
    pub(crate) losses: Losses,
}

impl Pipeline {
    /// Takes in what was read of images, and follows it in all processes. Returns whether there was anything.
    pub(super) fn take_images(&mut self, tables: &mut dyn Tables) -> bool {
        let settled = self.images.settle(tables);
        if settled.images.is_empty() {
            return settled.pages;
        }
        let open: Vec<_> = self
            .table
            .iter_mut()
            .filter(|(_, process)| process.is_sampled() && process.current().is_unresolved)
            .map(|(pid, process)| (pid, process.current().id))
            .collect();
        for (pid, space) in open {
            self.resolve(pid, space);
        }
        true
    }

    pub(super) fn keep_house(&mut self, now_ns: u64, tables: &mut dyn Tables) {
        if now_ns.saturating_sub(self.last_house_ns) < INTERVAL_NS {
            return;
        }
        self.last_house_ns = now_ns;
        self.images.keep_house(tables, Instant::now());
        self.bound_functions();
        let mut ended = self.table.long_ended(now_ns);
        ended.truncate(MAX_ASKED);
        // Where a main thread has ended others may live on: that is asked before anything is forgotten.
        self.commands.push(Command::Ask(Question::Alive(ended)));
    }

    /// Functions of runtimes that are forgotten are read again when they are seen; windows that have closed keep theirs.
    fn bound_functions(&mut self) {
        let all = self.table.iter_mut().flat_map(|(_, process)| process.spaces());
        let bytes: usize = all.map(|space| space.functions.bytes()).sum();
        if bytes <= MAX_BYTES_OF_ALL {
            return;
        }
        for space in self.table.iter_mut().flat_map(|(_, process)| process.spaces_mut()) {
            self.window.learn_functions(space.id, &space.functions);
            space.functions = Arc::default();
        }
        self.losses.add(Loss::ForgottenFunctions, 1);
    }

    pub(super) fn forget_ended(&mut self, now_ns: u64, asked: &[u32], alive: Vec<u32>) {
        for pid in self.table.forget(now_ns, asked, &alive.into_iter().collect()) {
            self.commands.push(Command::ForgetProcess(pid));
            self.perf_maps.remove(&pid);
        }
    }

    /// Windows keep what they need of address spaces that are forgotten.
    pub(super) fn learn_forgotten(&mut self) {
        for (pid, space) in self.table.take_forgotten() {
            let known = self.window.processes().iter().find(|known| known.space == space.id);
            let Some(seen) = known.map(|known| known.seen) else { continue };
            let identity = space
                .identity
                .clone()
                .unwrap_or_else(|| Arc::new(self.of_gone(pid, &space, None, &seen)));
            self.window.learn(space.id, &identity);
            self.window.learn_functions(space.id, &space.functions);
        }
    }

    pub(crate) fn levels(&mut self) -> Levels {
        self.losses.set(Loss::ProcessEvents, self.table.lost_events);
        self.losses.set(Loss::CutMappings, self.table.cut_mappings);
        self.losses.set(Loss::ForgottenSpace, self.table.forgotten_early);
        let image_counts = self.images.counts();
        for (loss, count) in [
            (Loss::EvictedImage, image_counts.evicted),
            (Loss::RefusedImage, image_counts.refused),
            (Loss::UnreachableFile, image_counts.unreachable),
            (Loss::UncopiedFile, image_counts.uncopied),
            (Loss::UnansweredFile, image_counts.unanswered),
            (Loss::UnreadablePage, image_counts.pages_unreadable),
            (Loss::RefusedPage, image_counts.pages_refused),
        ] {
            self.losses.set(loss, count);
        }
        Levels {
            images: self.images.len(),
            image_counts,
            processes: self.table.len(),
            losses: self.losses.clone(),
        }
    }
}
