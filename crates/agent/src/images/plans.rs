//! The plans of images, as long as there is room for them: one that is gone is made again.

use infrared_unwind::Plan;
use lru::LruCache;

use super::ImageId;

/// Bytes that plans take at most.
const MAX_BYTES: usize = 16 << 20;

/// Plans by image. The one used last stays, however large.
#[derive(Debug)]
pub(super) struct Plans {
    plans: LruCache<ImageId, (Plan, usize)>,
    bytes: usize,
}

impl Default for Plans {
    fn default() -> Self {
        Self { plans: LruCache::unbounded(), bytes: 0 }
    }
}

impl Plans {
    /// Takes a plan out, to be put back after use: one that broke its reader is then gone.
    pub(super) fn take(&mut self, image: ImageId) -> Option<Plan> {
        let (plan, bytes) = self.plans.pop(&image)?;
        self.bytes -= bytes;
        Some(plan)
    }

    pub(super) fn put(&mut self, image: ImageId, plan: Plan) {
        let bytes = plan.bytes();
        self.bytes += bytes;
        self.plans.put(image, (plan, bytes));
        while self.bytes > MAX_BYTES && self.plans.len() > 1 {
            let Some((_, (_, bytes))) = self.plans.pop_lru() else { break };
            self.bytes -= bytes;
        }
    }
}
