//! What makes room: images that others can best do without, files that nobody uses.

use std::time::{Duration, Instant};

use super::{
    super::{
        ImageId,
        crowd::{self, Member},
    },
    Entry, ImageRegistry, MAX_IMAGES, MAX_OPEN,
};
use crate::pipeline::Tables;

/// When there are so many, so many make room at once.
const EVICTED: usize = MAX_IMAGES / 16;
/// A page that could not be made is tried again after so long.
const TRY_AGAIN: Duration = Duration::from_secs(10);

impl ImageRegistry {
    /// Takes out the images that others can best do without.
    pub(super) fn make_room(&mut self) {
        let members = self.images.iter().map(|(image, entry)| Member {
            image: *image,
            user: entry.user,
            used: entry.used.get(),
        });
        for id in crowd::to_evict(members, EVICTED) {
            let Some(entry) = self.images.remove(&id) else { continue };
            if let Some(identity) =
                entry.identity.filter(|file| self.by_file.get(file) == Some(&id))
            {
                self.by_file.remove(&identity);
            }
            entry.image.source.let_go(Instant::now(), true);
            self.wanted.forget(id.0);
            self.gone.0.push(id);
            self.gone.1.push(id);
            self.counts.evicted += 1;
        }
        self.waiting.retain(|id| self.images.contains_key(&id));
    }

    /// The file of an image is within reach again: pages that could not be made are tried soon.
    pub(super) fn try_again(&mut self, id: ImageId) {
        let Some(long_ago) = Instant::now().checked_sub(TRY_AGAIN) else { return };
        for (since, _) in self.unreadable.iter_mut().filter(|(_, key)| key.image == id.0) {
            *since = long_ago;
        }
    }

    /// Once a second: lets go of files that nobody uses, and of what was said of pages a while ago.
    pub(crate) fn keep_house(&mut self, tables: &mut dyn Tables, now: Instant) {
        self.close_files(now);
        self.unreadable.retain(|(since, key)| {
            let stays = now.duration_since(*since) < TRY_AGAIN;
            if !stays {
                tables.remove_page(*key);
            }
            stays
        });
    }

    pub(super) fn close_files(&mut self, now: Instant) {
        let mut held: Vec<&Entry> =
            (self.images.values()).filter(|entry| entry.image.source.let_go(now, false)).collect();
        if held.len() >= MAX_OPEN {
            held.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.used.get()));
            for entry in held.drain(MAX_OPEN / 2..) {
                entry.image.source.let_go(now, true);
            }
        }
        if self.copier.is_crowded() {
            held.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.used.get()));
            let copies = held.iter().filter(|entry| entry.image.source.copied_bytes() > 0);
            let copies: Vec<&&Entry> = copies.collect();
            for entry in copies.iter().skip(copies.len() / 2) {
                entry.image.source.let_go(now, true);
            }
        }
        self.counts.open_files = held.len();
        self.opened = held.len();
    }
}
