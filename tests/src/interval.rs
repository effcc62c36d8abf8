//! The exact (Clopper-Pearson) interval of a binomial share: what a share may be, given how often it was seen.

/// Both ends belong to it; shares from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    pub fn contains(self, share: f64) -> bool {
        (self.low..=self.high).contains(&share)
    }
}

/// The interval that holds the true share with at least `confidence` (between 0 and 1), where `seen` of `total` were hits.
pub fn binomial_interval(seen: u64, total: u64, confidence: f64) -> Interval {
    let tail = (1.0 - confidence) / 2.0;
    let low = if seen == 0 {
        0.0
    } else {
        // P(X >= seen) rises with the share
        bisect(|share| 1.0 - at_most(seen - 1, total, share) < tail)
    };
    let high = if seen >= total { 1.0 } else { bisect(|share| at_most(seen, total, share) > tail) };
    Interval { low, high }
}

/// The share at which `below` turns from true to false.
fn bisect(below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// P(X <= `seen`) for X ~ Binomial(`total`, `share`), summed in logarithms.
fn at_most(seen: u64, total: u64, share: f64) -> f64 {
    if share <= 0.0 {
        return 1.0;
    }
    if share >= 1.0 {
        return if seen >= total { 1.0 } else { 0.0 };
    }
    let (hit, miss) = (share.ln(), (-share).ln_1p());
    let mut log_choose = 0.0;
    let mut sum = 0.0;
    for k in 0..=seen.min(total) {
        if k > 0 {
            log_choose += ((total - k + 1) as f64).ln() - (k as f64).ln();
        }
        sum += (log_choose + k as f64 * hit + (total - k) as f64 * miss).exp();
    }
    f64::min(sum, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values: the beta quantiles that define the interval, as R's `binom.test` prints them.
    #[test]
    fn the_interval_equals_published_values() {
        let table = [
            (0, 10, 0.95, 0.0, 0.308_50),
            (5, 10, 0.95, 0.187_09, 0.812_91),
            (10, 10, 0.95, 0.691_50, 1.0),
            (1, 100, 0.99, 0.000_05, 0.072_04),
        ];
        for (seen, total, confidence, low, high) in table {
            let interval = binomial_interval(seen, total, confidence);
            assert!((interval.low - low).abs() < 1e-4, "{seen}/{total}: {interval:?}");
            assert!((interval.high - high).abs() < 1e-4, "{seen}/{total}: {interval:?}");
        }
    }

    #[test]
    fn a_large_sample_gives_a_narrow_interval_around_what_was_seen() {
        let interval = binomial_interval(3000, 6000, 0.99);
        assert!(interval.contains(0.5) && interval.contains(0.484) && interval.contains(0.516));
        assert!(!interval.contains(0.48) && !interval.contains(0.52));
    }
}
