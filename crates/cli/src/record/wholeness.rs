//! How many of a recording's stacks can be believed from their root on, in one line for people.

use std::collections::BTreeMap;

use crate::terminal::grouped;

/// How stacks end that reached their thread's entry; the second has a guess on the way.
pub(super) const COMPLETE: &str = "complete";
pub(super) const GUESSED: &str = "guessed";
/// Reasons that are named, the most frequent ones.
const NAMED: usize = 3;

/// Of samples by how their user stack ended; `None` if there was no user stack.
pub(super) fn wholeness(stacks: &BTreeMap<String, u64>) -> Option<String> {
    let total: u64 = stacks.values().sum();
    let count = |end: &str| stacks.get(end).copied().unwrap_or(0);
    if total == 0 {
        return None;
    }
    let whole = count(COMPLETE);
    // Rounded down: what is not all must not read so.
    let tenths = u128::from(whole) * 1000 / u128::from(total);
    let mut parts = vec![format!(
        "{} of {} user stacks are whole ({}.{} %)",
        grouped(whole),
        grouped(total),
        tenths / 10,
        tenths % 10
    )];
    if count(GUESSED) > 0 {
        parts.push(format!("{} have a guess", grouped(count(GUESSED))));
    }
    let is_cut = |(end, _): &(&String, &u64)| ![COMPLETE, GUESSED].contains(&end.as_str());
    let mut cut: Vec<(&String, &u64)> = stacks.iter().filter(is_cut).collect();
    cut.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    if !cut.is_empty() {
        let sum = cut.iter().map(|(_, count)| **count).sum();
        let mut reasons: Vec<String> = cut
            .iter()
            .take(NAMED)
            .map(|(end, count)| format!("{end} {}", grouped(**count)))
            .collect();
        if cut.len() > NAMED {
            reasons.push("…".to_owned());
        }
        parts.push(format!("{} are cut ({})", grouped(sum), reasons.join(", ")));
    }
    Some(parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_guessed_and_cut_stacks_are_told_apart() {
        let line = |stacks: &[(&str, u64)]| {
            wholeness(&stacks.iter().map(|(end, count)| ((*end).to_owned(), *count)).collect())
        };
        let cases = [
            (&[][..], None),
            (&[("complete", 2_000)][..], Some("2,000 of 2,000 user stacks are whole (100.0 %)")),
            (
                &[("complete", 9_999), ("guessed", 1)],
                Some("9,999 of 10,000 user stacks are whole (99.9 %), 1 have a guess"),
            ),
            (
                &[("complete", 40), ("guessed", 3), ("no mapping", 5), ("max frames", 12)],
                Some(
                    "40 of 60 user stacks are whole (66.6 %), 3 have a guess, 17 are cut (max frames 12, no mapping 5)",
                ),
            ),
            (
                &[("a", 1), ("b", 2), ("c", 3), ("d", 4)],
                Some("0 of 10 user stacks are whole (0.0 %), 10 are cut (d 4, c 3, b 2, …)"),
            ),
        ];
        for (stacks, expected) in cases {
            assert_eq!(line(stacks).as_deref(), expected);
        }
    }
}
