//! A first-fit allocator of index ranges in equal slabs, with a quarantine: a freed range stays untouched until no
//! program of the kernel can be reading it any more.

use std::{collections::BTreeMap, collections::VecDeque, time::Duration, time::Instant};

/// How long a freed range rests. A program that could still read it runs for microseconds with interrupts off.
const QUARANTINE: Duration = Duration::from_secs(1);

/// A range of elements in one slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) slab: u32,
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// Free space of all slabs: start to length, never touching each other.
#[derive(Debug)]
pub(crate) struct Extents {
    slab_size: u32,
    free: Vec<BTreeMap<u32, u32>>,
    resting: VecDeque<(Instant, Extent)>,
    used: usize,
}

impl Extents {
    pub(crate) fn new(slab_size: u32) -> Self {
        Self { slab_size, free: Vec::new(), resting: VecDeque::new(), used: 0 }
    }

    pub(crate) fn slabs(&self) -> u32 {
        self.free.len() as u32
    }

    /// Elements handed out, those that rest not counted.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Adds an empty slab.
    pub(crate) fn add_slab(&mut self) {
        self.free.push(BTreeMap::from([(0, self.slab_size)]));
    }

    /// Takes `count` elements from the first slab with room; `None` if no slab has.
    pub(crate) fn take(&mut self, count: u32) -> Option<Extent> {
        let count = count.max(1);
        for (slab, free) in self.free.iter_mut().enumerate() {
            let found = free.iter().find(|&(_, &length)| length >= count).map(|(&s, &l)| (s, l));
            if let Some((start, length)) = found {
                free.remove(&start);
                if length > count {
                    free.insert(start + count, length - count);
                }
                self.used += count as usize;
                return Some(Extent { slab: slab as u32, first: start, count });
            }
        }
        None
    }

    /// Gives a range back; it can be taken again after the quarantine.
    pub(crate) fn release(&mut self, extent: Extent, now: Instant) {
        self.used -= extent.count as usize;
        self.resting.push_back((now, extent));
    }

    /// Makes the ranges free whose quarantine is over.
    pub(crate) fn settle(&mut self, now: Instant) {
        while let Some(&(since, extent)) = self.resting.front() {
            if now.duration_since(since) < QUARANTINE {
                return;
            }
            self.resting.pop_front();
            self.join(extent);
        }
    }

    /// Elements of freed ranges that still rest.
    pub(crate) fn resting(&self) -> usize {
        self.resting.iter().map(|(_, extent)| extent.count as usize).sum()
    }

    /// Whether freed ranges still rest.
    pub(crate) fn has_resting(&self) -> bool {
        !self.resting.is_empty()
    }

    /// Makes all freed ranges free: nobody reads them any more.
    pub(crate) fn settle_all(&mut self) {
        while let Some((_, extent)) = self.resting.pop_front() {
            self.join(extent);
        }
    }

    fn join(&mut self, extent: Extent) {
        let free = &mut self.free[extent.slab as usize];
        let (mut start, mut length) = (extent.first, extent.count);
        if let Some((&before, &before_length)) = free.range(..start).next_back()
            && before + before_length == start
        {
            free.remove(&before);
            (start, length) = (before, length + before_length);
        }
        if let Some(after_length) = free.remove(&(start + length)) {
            length += after_length;
        }
        free.insert(start, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_join_after_the_quarantine() {
        let mut extents = Extents::new(100);
        assert_eq!(extents.take(10), None);
        extents.add_slab();
        let parts: Vec<_> = (0..10).map(|_| extents.take(10).unwrap()).collect();
        assert_eq!(extents.take(1), None);
        let now = Instant::now();
        for part in [3, 1, 2, 0, 4] {
            extents.release(parts[part], now);
        }
        extents.settle(now);
        assert_eq!(extents.take(1), None, "a freed range rests");
        extents.settle(now + QUARANTINE);
        assert_eq!(extents.take(50), Some(Extent { slab: 0, first: 0, count: 50 }));
        assert_eq!(extents.used(), 100);
        extents.release(parts[9], now);
        assert!(extents.has_resting());
        extents.settle_all();
        assert_eq!((extents.has_resting(), extents.take(10)), (false, Some(parts[9])));
    }

    #[test]
    fn a_second_slab_is_used_when_the_first_has_no_room() {
        let mut extents = Extents::new(8);
        extents.add_slab();
        extents.add_slab();
        assert_eq!(extents.take(6).unwrap().slab, 0);
        assert_eq!(extents.take(6).unwrap().slab, 1);
        assert_eq!(extents.take(2).unwrap(), Extent { slab: 0, first: 6, count: 2 });
    }
}
