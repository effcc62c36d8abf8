//! From weights to CPU in cores, and back to what was recorded.

use infrared_store::Coverage;

/// CPU in cores of `weight_ns` of CPU time within `covered_ms` of recorded time. 0 if nothing was recorded.
pub(crate) fn cores(weight_ns: f64, covered_ms: f64) -> f64 {
    if covered_ms <= 0.0 { 0.0 } else { rounded(weight_ns / (covered_ms * 1e6)) }
}

pub(crate) fn cores_of(weight_ns: f64, coverage: Coverage) -> f64 {
    cores(weight_ns, coverage.covered_ms as f64)
}

/// CPU per step; `None` where nothing was recorded.
pub(crate) fn per_step(weights_ns: &[f64], covered_ms: &[f64]) -> Vec<Option<f64>> {
    let pairs = weights_ns.iter().zip(covered_ms);
    pairs.map(|(weight, ms)| (*ms > 0.0).then(|| cores(*weight, *ms))).collect()
}

/// Six decimals: a millionth of a core is below what sampling can see, and digits cost bytes.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// A step that gives at most `points` points, from a list of round ones.
pub(crate) fn round_step_ms(range_ms: i64, points: i64) -> u32 {
    const STEPS_S: [u32; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 21_600];
    let least_ms = range_ms.max(0) / points.max(1);
    let step = STEPS_S.into_iter().find(|s| i64::from(*s) * 1000 >= least_ms);
    step.unwrap_or(86_400) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_core_is_one() {
        assert!((cores(10e9, 10_000.0) - 1.0).abs() < 1e-9);
        assert!(cores(1.0, 0.0).abs() < 1e-9);
        assert_eq!(
            per_step(&[5e8, 0.0, 0.0], &[1000.0, 1000.0, 0.0]),
            [Some(0.5), Some(0.0), None]
        );
    }

    #[test]
    fn steps_are_round() {
        for (range_ms, step_ms) in [(0, 1000), (900_000, 15_000), (86_400_000, 1_800_000)] {
            assert_eq!(round_step_ms(range_ms, 60), step_ms, "{range_ms}");
        }
    }
}
