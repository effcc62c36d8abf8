//! Paired comparisons: each pair of rounds sees the same machine, so that its drift cancels.

/// Of 100 pairs, as many are left out at either end: what a neighbour's burst did to one half of a pair.
const TRIMMED_PERCENT: usize = 5;

/// The trimmed mean of what the pairs say, and the range that holds the true mean with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Loss {
    /// 0.01 means that one in a hundred is lost; negative means that "on" was faster.
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// What is lost with "on", of pairs of throughputs (off, on); `None` without pairs. A mean, for a median would not see
/// what happens in few of the pairs. The interval is that of Yuen (1974), by the winsorized variance.
pub(crate) fn loss(pairs: &[(f64, f64)]) -> Option<Loss> {
    let mut losses: Vec<f64> = pairs.iter().map(|(off, on)| 1.0 - on / off).collect();
    losses.sort_by(f64::total_cmp);
    let cut = losses.len() * TRIMMED_PERCENT / 100;
    let kept = losses.get(cut..losses.len() - cut).filter(|kept| !kept.is_empty())?;
    let mean = average(kept.iter().copied(), kept.len());
    let (least, most) = (*kept.first()?, *kept.last()?);
    let count = losses.len();
    let winsorized = || losses.iter().map(|loss| loss.clamp(least, most));
    let centre = average(winsorized(), count);
    let squares: f64 = winsorized().map(|loss| (loss - centre).powi(2)).sum();
    let deviation = (squares / count.saturating_sub(1).max(1) as f64).sqrt();
    let error = deviation / (kept.len() as f64 / (count as f64).sqrt());
    Some(Loss { mean, low: mean - 1.96 * error, high: mean + 1.96 * error })
}

fn average(values: impl Iterator<Item = f64>, count: usize) -> f64 {
    values.sum::<f64>() / count as f64
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
    fn one_wild_pair_is_left_out_and_what_happens_in_a_fifth_of_them_is_not() {
        let mut pairs = vec![(100.0, 99.5); 80];
        pairs.extend([(100.0, 98.5); 20]);
        let calm = loss(&pairs).unwrap().mean;
        assert!((0.005..0.007).contains(&calm), "{calm}");
        pairs[0] = (100.0, 20.0);
        pairs[1] = (20.0, 100.0);
        let wild = loss(&pairs).unwrap().mean;
        assert!((wild - calm).abs() < 0.0003, "{wild}, {calm}");
    }

    #[test]
    fn the_interval_narrows_with_the_pairs() {
        let pairs = |count: usize| -> Vec<(f64, f64)> {
            (0..count).map(|i| (100.0, if i % 2 == 0 { 98.0 } else { 101.0 })).collect()
        };
        let width = |loss: Loss| loss.high - loss.low;
        let (few, many) = (loss(&pairs(40)).unwrap(), loss(&pairs(4000)).unwrap());
        assert!((width(few) / width(many) - 10.0).abs() < 0.3, "{few:?}, {many:?}");
        assert!(many.low < 0.005 && 0.005 < many.high && (many.mean - 0.005).abs() < 1e-9);
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
