//! Wilson's score interval of a binomial share (E. B. Wilson, 1927). It stays inside 0 ..= 1, also near the ends.

/// A share between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// The quantile of the normal distribution for a 95 % interval.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// The interval of the share that `hits` of `samples` show. `None` without samples, or with more hits than samples.
///
/// With p = hits ÷ n: centre = (p + z² ÷ 2n) ÷ (1 + z² ÷ n),
/// half width = z ÷ (1 + z² ÷ n) × √(p(1 − p) ÷ n + z² ÷ 4n²).
pub fn wilson(hits: u64, samples: u64, z: f64) -> Option<Interval> {
    if samples == 0 || hits > samples {
        return None;
    }
    let n = samples as f64;
    let p = hits as f64 / n;
    let z2 = z * z;
    let scale = 1.0 + z2 / n;
    let centre = (p + z2 / (2.0 * n)) / scale;
    let half = z / scale * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    Some(Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_equal_published_values() {
        // Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        let cases = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)];
        for (hits, samples, low, high) in cases {
            let got = wilson(hits, samples, Z_95).unwrap();
            assert!((got.low - low).abs() < 5e-5 && (got.high - high).abs() < 5e-5, "{got:?}");
        }
    }

    #[test]
    fn there_is_no_interval_without_samples() {
        assert_eq!(wilson(0, 0, Z_95), None);
        assert_eq!(wilson(2, 1, Z_95), None);
    }
}
