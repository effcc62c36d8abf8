//! What the reading thread is given to do, and what comes of it.

use std::{sync::mpsc::TrySendError, time::Instant};

use infrared_bpf::{PageKey, PageTable};
use infrared_processes::image::ElfClass;

use std::sync::Arc;

use super::{
    super::{
        ImageId, ImageState,
        worker::{Finished, Job, Outcome, Page, ReadImage, Task},
    },
    ImageRegistry, QUEUE,
};
use crate::pipeline::Tables;

/// What has changed since the last look.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Images that were read.
    pub(crate) images: Vec<ImageId>,
    /// Pages were loaded, or are known not to be.
    pub(crate) pages: bool,
}

impl ImageRegistry {
    /// A walk came upon an image that is still to be read: it is next.
    pub(crate) fn hurry(&mut self, id: ImageId) {
        self.waiting.hurry(id);
    }

    /// Has a page made that a walk lacks, if its image is known.
    pub(crate) fn want(&mut self, key: PageKey, tables: &dyn Tables) {
        let Some(entry) = self.images.get(&ImageId(key.image)) else { return };
        if !tables.contains(key) {
            self.touch(entry);
            self.wanted.add(key);
            self.send();
        }
    }

    /// The same for a page that no walk lacks yet, if there is room beside what walks do. Such a page is wanted again when one does.
    pub(crate) fn want_ahead(&mut self, key: PageKey, tables: &dyn Tables) {
        if self.wanted.has_room_ahead() {
            self.want(key, tables);
        }
    }

    /// Gives the reading thread what it can take: files that are to be read and wanted pages take turns.
    pub(super) fn send(&mut self) {
        while self.in_flight < QUEUE {
            let pages = self.wanted.next().filter(|_| !self.pages_last || self.waiting.is_empty());
            let (image, is_read) = match (pages, self.waiting.next()) {
                (Some(image), _) => (ImageId(image), false),
                (None, Some(id)) => (id, true),
                (None, None) => return,
            };
            let Some(known) = self.images.get(&image).map(|entry| &entry.image) else {
                self.wanted.forget(image.0);
                self.waiting.remove(image);
                continue;
            };
            let (source, path) = (known.source.clone(), Arc::clone(&known.path));
            let runtimes = known.runtimes.clone();
            let what = if is_read { Task::Read } else { Task::Make(self.wanted.take(image.0)) };
            let gone = std::mem::take(&mut self.gone.1);
            match self.jobs.try_send(Job { image, source, path, runtimes, what, gone }) {
                Ok(()) => {}
                Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
                    self.take_back(job);
                    return;
                }
            }
            self.in_flight += 1;
            self.pages_last = !is_read;
            if is_read {
                self.waiting.remove(image);
            }
        }
    }

    /// A job that the reading thread could not take now.
    fn take_back(&mut self, job: Job) {
        self.gone.1 = job.gone;
        if let Task::Make(pages) = job.what {
            for page in pages {
                let key = PageKey { image: job.image.0, page };
                self.wanted.done(key);
                self.wanted.add(key);
            }
        }
    }

    /// Takes in what was read since, and loads pages.
    pub(crate) fn settle(&mut self, tables: &mut dyn Tables) -> Settled {
        for id in self.gone.0.drain(..) {
            tables.remove_image(id.0);
        }
        let mut settled = Settled::default();
        while let Ok(Finished { image, result }) = self.results.try_recv() {
            self.in_flight = self.in_flight.saturating_sub(1);
            match result {
                Outcome::Read(read) => {
                    settled.images.push(image);
                    self.finish_read(image, *read, tables);
                }
                Outcome::NoImage => {
                    settled.images.push(image);
                    self.set_state(image, ImageState::Unreadable);
                }
                Outcome::Made(pages) => {
                    settled.pages = true;
                    self.load(image, pages, tables);
                }
                Outcome::Unmade(pages) => {
                    settled.pages = true;
                    self.leave_out(image, &pages, tables);
                }
                Outcome::Panicked(pages) => {
                    settled.images.push(image);
                    settled.pages |= !pages.is_empty();
                    self.counts.reader_panics += 1;
                    self.leave_out(image, &pages, tables);
                    self.set_state(image, ImageState::Unreadable);
                }
            }
        }
        self.send();
        settled
    }

    fn finish_read(&mut self, id: ImageId, read: ReadImage, tables: &mut dyn Tables) {
        let same_as = read.same_as.filter(|other| self.images.contains_key(other));
        let Some(entry) = self.images.get_mut(&id) else { return };
        let (image, headers) = (&mut entry.image, read.headers);
        let build_id = headers.build_id.as_ref().map(ToString::to_string).unwrap_or_default();
        image.build_id = build_id.into();
        image.segments = headers.segments;
        image.is_32_bit = headers.class == ElfClass::Bits32;
        image.runtimes = read.runtimes;
        image.state = match same_as {
            Some(other) => ImageState::SameAs(other),
            // What was the same when it was read, and is gone, is planned when it is needed.
            None if read.is_planned || read.same_as.is_some() => ImageState::Ready,
            None => ImageState::Unreadable,
        };
        if let Some(other) = same_as {
            let place = image.source.place();
            image.source.let_go(Instant::now(), true);
            if let (Some(place), Some(other)) = (place, self.get(other)) {
                other.source.add_place(place, None);
            }
        }
        self.load(id, read.pages, tables);
    }

    fn load(&mut self, id: ImageId, pages: Vec<Page>, tables: &mut dyn Tables) {
        if let Err(error) = tables.make_room(pages.iter().map(|page| page.rows.len()).sum()) {
            tracing::warn!(%error, "no room was made for pages of an unwind table");
        }
        for page in pages {
            let key = PageKey { image: id.0, page: page.number };
            self.wanted.done(key);
            if !self.images.contains_key(&id) {
                continue;
            }
            self.counts.pages_made += 1;
            let table = PageTable { rows: &page.rows, rules: &page.rules };
            if let Err(error) = tables.insert(key, table) {
                self.counts.pages_refused += 1;
                tracing::warn!(?key, %error, "cannot load a page of an unwind table");
            }
        }
    }

    /// Says of pages that they cannot be had, for a while.
    fn leave_out(&mut self, id: ImageId, pages: &[u32], tables: &mut dyn Tables) {
        for page in pages {
            let key = PageKey { image: id.0, page: *page };
            self.wanted.done(key);
            if !self.images.contains_key(&id) {
                continue;
            }
            self.counts.pages_unreadable += 1;
            self.unreadable.push((Instant::now(), key));
            if let Err(error) = tables.insert_unreadable(key) {
                tracing::warn!(?key, %error, "cannot say of a page that it is unreadable");
            }
        }
    }

    fn set_state(&mut self, id: ImageId, state: ImageState) {
        if let Some(entry) = self.images.get_mut(&id) {
            entry.image.state = state;
        }
    }
}
