//! What a recording says about one program, and the questions that tests ask of it.

use crate::{Folded, Frame, Stack};

/// The stacks of one service.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    pub stacks: Vec<Stack>,
}

impl Observed {
    /// The stacks of `folded` whose service is one of `names`.
    pub fn of(folded: &Folded, names: &[&str]) -> Self {
        let ours = |stack: &&Stack| names.contains(&stack.service.as_str());
        Self { stacks: folded.stacks.iter().filter(ours).cloned().collect() }
    }

    pub fn everything(folded: &Folded) -> Self {
        Self { stacks: folded.stacks.clone() }
    }

    pub fn samples(&self) -> u64 {
        self.count(|_| true)
    }

    pub fn count(&self, which: impl Fn(&Stack) -> bool) -> u64 {
        self.stacks.iter().filter(|stack| which(stack)).map(|stack| stack.count).sum()
    }

    /// The part, 0 to 1, of the samples that reach their thread's entry without a guess; 1 if there are none.
    pub fn rooted(&self) -> f64 {
        let total = self.samples();
        let rooted = self.count(Stack::is_rooted);
        if total == 0 { 1.0 } else { rooted as f64 / total as f64 }
    }

    /// Only the stacks that have `function`.
    #[must_use]
    pub fn with(&self, function: &str) -> Self {
        self.only(|stack| stack.has(function))
    }

    #[must_use]
    pub fn only(&self, which: impl Fn(&Stack) -> bool) -> Self {
        Self { stacks: self.stacks.iter().filter(|stack| which(stack)).cloned().collect() }
    }

    /// Samples whose innermost user frame is `function`.
    pub fn in_leaf(&self, function: &str) -> u64 {
        self.count(|stack| stack.user_leaf().is_some_and(|frame: &Frame| frame.is(function)))
    }

    /// The largest stacks that `which` picks, as text for a failing test.
    pub fn examples(&self, which: impl Fn(&Stack) -> bool) -> String {
        let mut stacks: Vec<&Stack> = self.stacks.iter().filter(|stack| which(stack)).collect();
        stacks.sort_by_key(|stack| std::cmp::Reverse(stack.count));
        let lines: Vec<String> = stacks.iter().take(8).map(ToString::to_string).collect();
        lines.join(
            "
",
        )
    }

    /// The truncated samples by reason, most frequent first.
    pub fn truncations(&self) -> Vec<(String, u64)> {
        let mut reasons = std::collections::BTreeMap::new();
        for stack in &self.stacks {
            if let Some(reason) = &stack.truncated {
                *reasons.entry(reason.clone()).or_insert(0) += stack.count;
            }
        }
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed() -> Observed {
        let text = "a;main;burn 6\na;[truncated: no mapping];burn 2\nb;main;read;vfs_[k] 9\na;main;jit_[g];idle 2";
        Observed::of(&text.parse().unwrap(), &["a", "alias"])
    }

    #[test]
    fn only_the_named_services_count() {
        assert_eq!(observed().samples(), 10);
    }

    #[test]
    fn rooted_is_a_share_of_samples_not_of_stacks() {
        assert!((observed().rooted() - 0.6).abs() < 1e-9, "nor of those with a guess");
        assert_eq!(observed().truncations(), [("no mapping".to_owned(), 2)]);
    }

    #[test]
    fn leaves_and_callers_are_told_apart() {
        assert_eq!((observed().in_leaf("burn"), observed().in_leaf("main")), (8, 0));
        assert_eq!(observed().with("main").samples(), 8);
    }
}
