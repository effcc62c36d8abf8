//! The distinct rules of one table.

use hashbrown::HashMap;

use crate::rule::{MAX_RULES, Rule, RuleKind};
use crate::table::RuleId;

/// Gives equal rules one index.
#[derive(Debug)]
pub(crate) struct RuleSet {
    rules: Vec<Rule>,
    ids: HashMap<u128, RuleId>,
    recent: (Rule, RuleId),
}

impl RuleSet {
    pub(crate) const NONE: RuleId = 0;
    pub(crate) const UNSUPPORTED: RuleId = 1;

    pub(crate) fn new() -> Self {
        let rules = vec![Rule::NONE, Rule::UNSUPPORTED];
        let ids = rules.iter().map(|rule| packed(*rule)).zip(0..).collect();
        Self { rules, ids, recent: (Rule::NONE, Self::NONE) }
    }

    /// The index of `rule`. When the kernel's table could hold no more, the rule is unsupported.
    pub(crate) fn id(&mut self, rule: Rule) -> RuleId {
        if self.recent.0 == rule {
            return self.recent.1;
        }
        let id = match self.ids.get(&packed(rule)) {
            Some(&id) => id,
            None if self.rules.len() >= MAX_RULES => Self::UNSUPPORTED,
            None => {
                let id = self.rules.len() as RuleId;
                self.rules.push(rule);
                self.ids.insert(packed(rule), id);
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

/// All of a rule in one number, which is hashed faster than its fields.
fn packed(rule: Rule) -> u128 {
    let rule = rule.to_abi();
    let slots = [rule.fp_slot, rule.rbx_slot, rule.ra_slot].map(|slot| u128::from(slot as u16));
    let offsets = [rule.cfa_offset, rule.cfa_offset2].map(|offset| u128::from(offset as u32));
    u128::from(rule.kind)
        | u128::from(rule.cfa_reg) << 8
        | slots[0] << 16
        | slots[1] << 32
        | slots[2] << 48
        | offsets[0] << 64
        | offsets[1] << 96
}
