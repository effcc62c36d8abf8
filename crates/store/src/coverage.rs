//! Which parts of a time range were recorded at all.

use std::collections::BTreeSet;

use crate::TimeRange;

/// What of a selection's range was recorded, by anyone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Start of the first window, Unix milliseconds; 0 if nothing was recorded.
    pub from_ms: i64,
    /// End of the last window.
    pub to_ms: i64,
    /// Time between them that lies in at least one window.
    pub covered_ms: u64,
}

/// Recorded windows (start, end) of one value type.
#[derive(Debug, Default)]
pub(crate) struct Windows(BTreeSet<(i64, i64)>);

impl Windows {
    pub(crate) fn add(&mut self, start_ms: i64, duration_ms: u32) {
        self.0.insert((start_ms, start_ms.saturating_add(i64::from(duration_ms))));
    }

    /// Disjoint intervals in order.
    fn union(&self) -> Vec<(i64, i64)> {
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for &(start, end) in &self.0 {
            match merged.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        merged
    }

    pub(crate) fn coverage(&self) -> Coverage {
        let merged = self.union();
        let (Some(first), Some(last)) = (merged.first(), merged.last()) else {
            return Coverage::default();
        };
        let covered = merged.iter().map(|(start, end)| end.abs_diff(*start)).sum();
        Coverage { from_ms: first.0, to_ms: last.1, covered_ms: covered }
    }

    /// Recorded milliseconds of each of `steps` steps of `step_ms`.
    pub(crate) fn per_step(&self, start_ms: i64, step_ms: u32, steps: usize) -> Vec<f64> {
        let mut covered = vec![0.0; steps];
        for (start, end) in self.union() {
            spread(TimeRange { from_ms: start, to_ms: end }, start_ms, step_ms, steps, |i, ms| {
                covered[i] += ms;
            });
        }
        covered
    }
}

/// Calls `each(step, milliseconds of the window in it)` for the steps that `window` touches.
pub(crate) fn spread(
    window: TimeRange,
    start_ms: i64,
    step_ms: u32,
    steps: usize,
    mut each: impl FnMut(usize, f64),
) {
    let step = i64::from(step_ms);
    let from = window.from_ms.max(start_ms);
    let to = window.to_ms.min(start_ms.saturating_add(step.saturating_mul(steps as i64)));
    let mut at = from;
    while at < to {
        let index = (at - start_ms) / step;
        let step_end = start_ms + (index + 1) * step;
        let until = step_end.min(to);
        each(index as usize, (until - at) as f64);
        at = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_windows_of_two_hosts_count_once() {
        let mut windows = Windows::default();
        for (start, duration) in [(0, 10), (5, 10), (30, 10), (15, 5)] {
            windows.add(start, duration);
        }
        assert_eq!(windows.coverage(), Coverage { from_ms: 0, to_ms: 40, covered_ms: 30 });
        assert_eq!(windows.per_step(0, 10, 4), vec![10.0, 10.0, 0.0, 10.0]);
    }

    #[test]
    fn a_window_is_spread_over_the_steps_it_touches() {
        let mut seen = Vec::new();
        let window = TimeRange { from_ms: -5, to_ms: 25 };
        spread(window, 0, 10, 2, |step, ms| seen.push((step, ms)));
        assert_eq!(seen, [(0, 10.0), (1, 10.0)]);
        seen.clear();
        spread(TimeRange { from_ms: 5, to_ms: 15 }, 0, 10, 9, |step, ms| seen.push((step, ms)));
        assert_eq!(seen, [(0, 5.0), (1, 5.0)]);
    }
}
