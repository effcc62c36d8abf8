//! Paired comparisons: each pair of rounds sees the same machine, so that its drift cancels.

/// The median of what the pairs say, and the range that holds the true median with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Loss {
    /// 0.01 means that one in a hundred is lost; negative means that "on" was faster.
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// What is lost with "on", of pairs of throughputs (off, on); `None` without pairs.
pub(crate) fn loss(pairs: &[(f64, f64)]) -> Option<Loss> {
    let mut losses: Vec<f64> = pairs.iter().map(|(off, on)| 1.0 - on / off).collect();
    losses.sort_by(f64::total_cmp);
    let skip = outside(losses.len());
    let (low, high) = (losses.get(skip)?, losses.get(losses.len().checked_sub(skip + 1)?)?);
    Some(Loss { median: median(&losses)?, low: *low, high: *high })
}

/// The middle of sorted values.
fn median(sorted: &[f64]) -> Option<f64> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

/// How many of `count` sorted values may be left out on either side: the sign test's interval for a median.
/// With less than six pairs, none.
fn outside(count: usize) -> usize {
    let mut skip = 0;
    let mut term = 0.5f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let mut tail = term;
    while 2.0 * tail <= 0.05 && skip < count / 2 {
        skip += 1;
        term *= (count - skip + 1) as f64 / skip as f64;
        tail += term;
    }
    skip.saturating_sub(1)
}

/// The value below which `share` (0 to 1) of the values lie; `None` without values.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.clamp(1, values.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_loss_ignores_one_wild_pair() {
        let mut pairs = vec![(100.0, 99.5); 11];
        pairs.push((100.0, 20.0));
        let loss = loss(&pairs).unwrap();
        assert!((loss.median - 0.005).abs() < 1e-9 && (loss.high - 0.005).abs() < 1e-9, "{loss:?}");
    }

    #[test]
    fn the_interval_is_the_sign_test_s() {
        // Tables of the sign test: values left out on either side at 95 %.
        for (count, skipped) in [(5, 0), (6, 0), (8, 0), (9, 1), (12, 2), (20, 5)] {
            assert_eq!(outside(count), skipped, "{count} pairs");
        }
    }

    #[test]
    fn no_pairs_give_no_loss() {
        assert_eq!(loss(&[]), None);
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(quantile(values.clone(), 0.95), Some(19.0));
        assert_eq!(quantile(values, 1.0), Some(20.0));
        assert_eq!(quantile(Vec::new(), 0.95), None);
    }
}
