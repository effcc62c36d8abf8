//! How long to wait before the next try.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// Doubles from 1 s to 60 s, each up to a fifth shorter, so that a fleet does not come back all at once.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    seed: RandomState,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { failures: 0, seed: RandomState::new() }
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed once more.
    pub(super) fn next(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let part = self.seed.hash_one(self.failures) % 1000;
        full.saturating_sub(full * part as u32 / 5000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_begin_anew_after_success() {
        let mut backoff = Backoff::new();
        for round in 0..2 {
            for (failure, seconds) in [1, 2, 4, 8, 16, 32, 60, 60, 60].into_iter().enumerate() {
                let (full, wait) = (Duration::from_secs(seconds), backoff.next());
                assert!(wait <= full && wait >= full * 4 / 5, "{round} {failure}: {wait:?}");
            }
            backoff.reset();
        }
    }
}
