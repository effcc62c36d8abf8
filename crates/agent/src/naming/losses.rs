//! What naming could not have, of what the symbolizer and the perf maps count, as losses.

use infrared_symbolize::Stats;

use crate::losses::Loss;

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Told(Stats);

impl Told {
    /// What came since the last call. `jit` came since then: lines of perf maps that a limit kept out, and those that name no code.
    pub(super) fn news(&mut self, now: Stats, jit: (u64, u64)) -> Vec<(Loss, u64)> {
        let told = std::mem::replace(&mut self.0, now);
        vec![
            (Loss::UnopenedImage, now.image_errors - told.image_errors),
            (Loss::UnreadSource, now.source_errors - told.source_errors),
            (Loss::OversizedSource, now.over_budget - told.over_budget),
            (Loss::OversizedDebug, now.dwarf_over_budget - told.dwarf_over_budget),
            (Loss::RefusedSplit, now.split_refused - told.split_refused),
            (Loss::SkippedSplit, now.split_over_budget - told.split_over_budget),
            (Loss::DroppedJitName, jit.0),
            (Loss::MalformedJitName, jit.1),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loss_of_names_is_told_and_once() {
        let mut told = Told::default();
        let stats = Stats {
            hits: 1,
            misses: 2,
            unnamed: 3,
            dwarf_over_budget: 4,
            over_budget: 5,
            image_errors: 6,
            source_errors: 7,
            split_refused: 8,
            split_over_budget: 9,
        };
        let expected = [
            (Loss::UnopenedImage, 6),
            (Loss::UnreadSource, 7),
            (Loss::OversizedSource, 5),
            (Loss::OversizedDebug, 4),
            (Loss::RefusedSplit, 8),
            (Loss::SkippedSplit, 9),
            (Loss::DroppedJitName, 10),
            (Loss::MalformedJitName, 11),
        ];
        assert_eq!(told.news(stats, (10, 11)), expected);
        assert!(told.news(stats, (0, 0)).iter().all(|(_, count)| *count == 0));
        let later = Stats { split_refused: 10, ..stats };
        assert!(told.news(later, (0, 0)).contains(&(Loss::RefusedSplit, 2)));
    }
}
