//! The plans of images, as long as there is room for them: one that is gone is made again.

use infrared_unwind::Plan;
use lru::LruCache;

use super::ImageId;

/// Bytes that plans take at most.
const MAX_BYTES: usize = 16 << 20;

/// Plans by image. The one used last stays, however large.
#[derive(Debug)]
pub(super) struct Plans {
    by_image: LruCache<ImageId, (Plan, usize)>,
    bytes: usize,
    max_bytes: usize,
}

impl Default for Plans {
    fn default() -> Self {
        Self::with_room(MAX_BYTES)
    }
}

impl Plans {
    fn with_room(max_bytes: usize) -> Self {
        Self { by_image: LruCache::unbounded(), bytes: 0, max_bytes }
    }

    /// Takes a plan out, to be put back after use: one that broke its reader is then gone.
    pub(super) fn take(&mut self, image: ImageId) -> Option<Plan> {
        let (plan, bytes) = self.by_image.pop(&image)?;
        self.bytes -= bytes;
        Some(plan)
    }

    pub(super) fn put(&mut self, image: ImageId, plan: Plan) {
        let bytes = plan.bytes();
        self.bytes += bytes;
        self.by_image.put(image, (plan, bytes));
        while self.bytes > self.max_bytes && self.by_image.len() > 1 {
            let Some((_, (_, bytes))) = self.by_image.pop_lru() else { break };
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let own = std::fs::read("/proc/self/exe").unwrap();
        Plan::open(&*own, &infrared_unwind::Options::default()).unwrap()
    }

    #[test]
    fn the_plan_used_last_longest_ago_goes() {
        let mut plans = Plans::with_room(plan().bytes() * 5 / 2);
        plans.put(ImageId(1), plan());
        plans.put(ImageId(2), plan());
        // Used: it is the newer one of the two.
        let first = plans.take(ImageId(1)).unwrap();
        plans.put(ImageId(1), first);
        plans.put(ImageId(3), plan());
        let kept = [1, 2, 3].map(|image| plans.take(ImageId(image)).is_some());
        assert_eq!((kept, plans.bytes), ([true, false, true], 0));
    }

    #[test]
    fn one_that_is_too_large_alone_stays_until_another_comes() {
        let mut plans = Plans::with_room(1);
        plans.put(ImageId(1), plan());
        plans.put(ImageId(2), plan());
        assert!(plans.take(ImageId(1)).is_none());
        assert!(plans.take(ImageId(2)).is_some());
    }
}
