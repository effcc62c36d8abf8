//! Pages that walks want and that are not made yet: which image's are made next. Pure.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use infrared_bpf::PageKey;

/// Pages of one image that are made at once: others wait no longer than that takes.
const BATCH: usize = 64;
/// Wanted pages, in the order in which their images were first wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Pages that are wanted or being made at most. More are wanted again by the walks that lack them.
    limit: usize,
    waiting: HashMap<u32, BTreeSet<u32>>,
    order: VecDeque<u32>,
    count: usize,
    in_flight: HashSet<PageKey>,
}

impl Wanted {
    pub(super) fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            waiting: HashMap::new(),
            order: VecDeque::new(),
            count: 0,
            in_flight: HashSet::new(),
        }
    }

    pub(super) fn add(&mut self, key: PageKey) {
        if self.count + self.in_flight.len() >= self.limit || self.in_flight.contains(&key) {
            return;
        }
        let pages = self.waiting.entry(key.image).or_insert_with(|| {
            self.order.push_back(key.image);
            BTreeSet::new()
        });
        self.count += usize::from(pages.insert(key.page));
    }

    /// Whether pages may be asked for that no walk lacks yet: half of the room is for those that one does.
    pub(super) fn has_room_ahead(&self) -> bool {
        self.count + self.in_flight.len() < self.limit / 2
    }

    /// Nothing waits, and nothing is being made.
    pub(super) fn is_idle(&self) -> bool {
        self.count == 0 && self.in_flight.is_empty()
    }

    /// The image whose turn it is.
    pub(super) fn next(&self) -> Option<u32> {
        self.order.front().copied()
    }

    /// Takes pages of an image to be made. What is left of it comes after the others.
    pub(super) fn take(&mut self, image: u32) -> Vec<u32> {
        self.order.retain(|waiting| *waiting != image);
        let Some(mut pages) = self.waiting.remove(&image) else { return Vec::new() };
        let mut taken = Vec::with_capacity(BATCH.min(pages.len()));
        while taken.len() < BATCH
            && let Some(page) = pages.pop_first()
        {
            taken.push(page);
        }
        self.count -= taken.len();
        self.in_flight.extend(taken.iter().map(|page| PageKey { image, page: *page }));
        if !pages.is_empty() {
            self.waiting.insert(image, pages);
            self.order.push_back(image);
        }
        taken
    }

    /// A page was made, or cannot be.
    pub(super) fn done(&mut self, key: PageKey) {
        self.in_flight.remove(&key);
    }

    /// Nobody wants pages of an image that is gone.
    pub(super) fn forget(&mut self, image: u32) {
        self.order.retain(|waiting| *waiting != image);
        self.count -= self.waiting.remove(&image).map_or(0, |pages| pages.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_ahead_leaves_room_to_what_walks_lack() {
        let mut wanted = Wanted::with_limit(8);
        let key = |image, page| PageKey { image, page };
        let ahead = (0..100).take_while(|page| {
            let has_room = wanted.has_room_ahead();
            if has_room {
                wanted.add(key(1, *page));
            }
            has_room
        });
        assert_eq!(ahead.count(), 4);
        wanted.add(key(2, 7));
        assert_eq!((wanted.take(2), wanted.take(1).len()), (vec![7], 4));
    }

    #[test]
    fn images_take_turns_and_a_page_is_made_once() {
        let mut wanted = Wanted::with_limit(BATCH + 4);
        let key = |image, page| PageKey { image, page };
        for page in 0..BATCH as u32 + 2 {
            wanted.add(key(20, page));
        }
        wanted.add(key(21, 7));
        wanted.add(key(21, 7));
        assert_eq!(wanted.next(), Some(20));
        assert_eq!(wanted.take(20).len(), BATCH);
        wanted.add(key(20, 3));
        assert_eq!((wanted.next(), wanted.take(21)), (Some(21), vec![7]));
        assert_eq!(wanted.take(20), [64, 65], "page 3 is being made");
        assert_eq!(wanted.next(), None);
        for page in 0..66 {
            wanted.done(key(20, page));
        }
        assert!(!wanted.is_idle());
        wanted.done(key(21, 7));
        assert!(wanted.is_idle());
        wanted.add(key(20, 3));
        wanted.forget(20);
        assert!(wanted.is_idle() && wanted.next().is_none());
        for page in 0..1000 {
            wanted.add(key(20, page));
        }
        assert_eq!(wanted.take(20).len() + wanted.take(20).len(), BATCH + 4, "no more at once");
    }
}
