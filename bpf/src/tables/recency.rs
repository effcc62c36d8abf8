//! In which order pages go: the one that was looked up in the oldest epoch first; of several, the one loaded first.
//!
//! Pure. The kernel notes look-ups in its own entries. They are asked for when a page is about to go, and only then: the
//! order here is by what was known last, which is never later than what is true.

use std::collections::{BTreeMap, HashMap};

use super::PageKey;

/// When a page was used, as far as it is known here; and its turn among those of one epoch.
type Place = (u32, u64);

/// Pages by their last use.
#[derive(Debug, Default)]
pub(super) struct Recency {
    order: BTreeMap<Place, PageKey>,
    places: HashMap<PageKey, Place>,
    loaded: u64,
}

impl Recency {
    pub(super) fn add(&mut self, key: PageKey, epoch: u32) {
        self.remove(key);
        self.loaded += 1;
        self.put(key, (epoch, self.loaded));
    }

    pub(super) fn remove(&mut self, key: PageKey) {
        if let Some(place) = self.places.remove(&key) {
            self.order.remove(&place);
        }
    }

    fn put(&mut self, key: PageKey, place: Place) {
        self.order.insert(place, key);
        self.places.insert(key, place);
    }

    /// The page that goes first. `last_use` tells the epoch in which one was looked up last. Each page is asked for once
    /// at most, and only if all that are known to be older were used since.
    pub(super) fn oldest(&mut self, mut last_use: impl FnMut(PageKey) -> u32) -> Option<PageKey> {
        for _ in 0..=self.order.len() {
            let (&(epoch, turn), &key) = self.order.first_key_value()?;
            let used = last_use(key);
            if used <= epoch {
                return Some(key);
            }
            self.remove(key);
            self.put(key, (used, turn));
        }
        // All were used while they were asked for.
        self.order.first_key_value().map(|(_, key)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn page(page: u32) -> PageKey {
        PageKey { image: 16, page }
    }

    #[test]
    fn the_page_of_the_oldest_epoch_goes_first_and_of_those_the_one_loaded_first() {
        let mut recency = Recency::default();
        for (number, epoch) in [(1, 5), (2, 5), (3, 5), (4, 6), (5, 7)] {
            recency.add(page(number), epoch);
        }
        // The first was looked up since, in the same epoch as the fourth.
        let used = HashMap::from([(page(1), 6), (page(3), 8), (page(4), 6)]);
        let mut order = Vec::new();
        while let Some(key) = recency.oldest(|key| used.get(&key).copied().unwrap_or(0)) {
            order.push(key.page);
            recency.remove(key);
        }
        assert_eq!(order, [2, 1, 4, 5, 3]);
    }

    #[test]
    fn a_page_in_use_is_asked_for_once_in_an_epoch() {
        let mut recency = Recency::default();
        for number in 0..1000 {
            recency.add(page(number), 1);
        }
        let mut asked = 0;
        for _ in 0..1000 {
            let oldest = recency.oldest(|_| {
                asked += 1;
                2
            });
            recency.remove(oldest.unwrap());
        }
        assert_eq!(asked, 2 * 1000, "once to learn of its use, and once when it goes");
    }
}
