//! Named addresses, and the strings that they share. Both bounded in bytes.

use std::collections::HashSet;
use std::sync::Arc;

use lru::LruCache;

use crate::line::Symbolized;

/// An image, as a number of our own.
pub(crate) type ImageSerial = u32;

/// Results by (image, stated address), the least recently used going first.
pub(crate) struct ResultCache {
    results: LruCache<(ImageSerial, u64), Symbolized>,
    bytes: usize,
    max_bytes: usize,
}

/// What an entry costs beyond its lines: the map's node and the allocation's header.
const ENTRY: usize = 112;

fn cost(symbolized: &Symbolized) -> usize {
    ENTRY + size_of_val::<[_]>(&symbolized.lines)
}

impl ResultCache {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { results: LruCache::unbounded(), bytes: 0, max_bytes }
    }

    pub(crate) fn get(&mut self, image: ImageSerial, svma: u64) -> Option<Symbolized> {
        self.results.get(&(image, svma)).cloned()
    }

    pub(crate) fn insert(&mut self, image: ImageSerial, svma: u64, symbolized: Symbolized) {
        self.bytes += cost(&symbolized);
        if let Some(replaced) = self.results.put((image, svma), symbolized) {
            self.bytes -= cost(&replaced);
        }
        while self.bytes > self.max_bytes
            && let Some((_, dropped)) = self.results.pop_lru()
        {
            self.bytes -= cost(&dropped);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// One copy of each string in use.
#[derive(Default)]
pub(crate) struct Strings {
    held: HashSet<Arc<str>>,
    bytes: usize,
    sweep_at: usize,
}

/// The least growth between two sweeps.
const SWEEP_STEP: usize = 1 << 20;

impl Strings {
    pub(crate) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(held) = self.held.get(text) {
            return Arc::clone(held);
        }
        self.sweep();
        let shared: Arc<str> = text.into();
        self.bytes += text.len() + ENTRY / 2;
        self.held.insert(Arc::clone(&shared));
        shared
    }

    /// Drops strings that nobody else holds, whenever the total has doubled since the last time.
    fn sweep(&mut self) {
        if self.bytes < self.sweep_at.max(SWEEP_STEP) {
            return;
        }
        self.held.retain(|s| Arc::strong_count(s) > 1);
        self.bytes = self.held.iter().map(|s| s.len() + ENTRY / 2).sum();
        self.sweep_at = self.bytes * 2;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;

    fn symbolized(strings: &mut Strings, name: &str) -> Symbolized {
        let name = strings.share(name);
        let file = strings.share("file.c");
        let line = Line { function: Arc::clone(&name), system_name: name, file, line: 1 };
        Symbolized { lines: [line].into(), unnamed: false }
    }

    #[test]
    fn results_stay_within_the_budget_and_the_recent_ones_stay() {
        let mut strings = Strings::default();
        let mut cache = ResultCache::new(20_000);
        for svma in 0..100_000 {
            cache.insert(1, svma, symbolized(&mut strings, &format!("function_{svma:020}")));
            cache.insert(1, svma, symbolized(&mut strings, "again"));
            assert!(cache.bytes() <= 20_000);
        }
        assert!(cache.get(1, 0).is_none() && cache.get(2, 99_999).is_none());
        assert_eq!(&*cache.get(1, 99_999).unwrap().lines[0].function, "again");
        assert!(strings.bytes() < 2 * SWEEP_STEP, "unused strings are dropped");
    }
}
