//! The distinct rules of one table.

use hashbrown::HashMap;

use crate::rule::{MAX_RULES, Rule, RuleKind};
use crate::table::RuleId;

/// Gives equal rules one index.
#[derive(Debug)]
pub(crate) struct RuleSet {
    rules: Vec<Rule>,
    ids: HashMap<Rule, RuleId>,
    recent: (Rule, RuleId),
}

impl RuleSet {
    pub(crate) const NONE: RuleId = 0;
    pub(crate) const UNSUPPORTED: RuleId = 1;

    pub(crate) fn new() -> Self {
        let rules = vec![Rule::NONE, Rule::UNSUPPORTED];
        let ids = rules.iter().copied().zip(0..).collect();
        Self { rules, ids, recent: (Rule::NONE, Self::NONE) }
    }

    /// The index of `rule`. When the kernel's table could hold no more, the rule is unsupported.
    pub(crate) fn id(&mut self, rule: Rule) -> RuleId {
        if self.recent.0 == rule {
            return self.recent.1;
        }
        let id = match self.ids.get(&rule) {
            Some(&id) => id,
            None if self.rules.len() >= MAX_RULES => Self::UNSUPPORTED,
            None => {
                let id = self.rules.len() as RuleId;
                self.rules.push(rule);
                self.ids.insert(rule, id);
                id
            }
        };
        self.recent = (rule, id);
        id
    }

    pub(crate) fn is_unsupported(&self, id: RuleId) -> bool {
        self.rules.get(usize::from(id)).is_none_or(|rule| rule.kind == RuleKind::Unsupported)
    }

    pub(crate) fn into_rules(self) -> Vec<Rule> {
        self.rules
    }
}
