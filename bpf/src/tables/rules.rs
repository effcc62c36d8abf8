//! The table of distinct rules that all images share: who uses which, and which places are free.
//!
//! Pure but for the clock: writing the kernel's map is the caller's.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use infrared_abi::{IR_MAX_RULES, IR_RULE_UNREADABLE, IR_RULE_UNSUPPORTED, ir_rule};

/// Index of a rule in the kernel's table.
pub(super) type RuleId = u16;

/// How long a place rests that is not used any more: no walk that began before can then still look it up.
const QUARANTINE: Duration = Duration::from_secs(1);

/// What has a place for good: it can be said of any page.
const KEPT: [u32; 2] = [IR_RULE_UNSUPPORTED, IR_RULE_UNREADABLE];
/// The place of the first of them.
pub(super) const UNSUPPORTED: RuleId = 0;

/// The rule of `kind`, which says all.
pub(super) fn rule_of_kind(kind: u32) -> ir_rule {
    ir_rule { kind: kind as u8, ..ir_rule::default() }
}

#[derive(Debug)]
struct Place {
    rule: ir_rule,
    /// How many pages have rows with the rule.
    users: u32,
}

/// Places of rules.
#[derive(Debug)]
pub(super) struct Rules {
    limit: usize,
    places: Vec<Place>,
    ids: HashMap<ir_rule, RuleId>,
    free: Vec<RuleId>,
    resting: VecDeque<(Instant, RuleId)>,
}

impl Rules {
    pub(super) fn new() -> Self {
        Self::with_limit(IR_MAX_RULES as usize)
    }

    fn with_limit(limit: usize) -> Self {
        let kept = KEPT.map(rule_of_kind);
        let places = kept.map(|rule| Place { rule, users: 1 }).into_iter().collect();
        let ids = kept.into_iter().zip(0..).collect();
        Self { limit, places, ids, free: Vec::new(), resting: VecDeque::new() }
    }

    /// Whether a place is never given back.
    pub(super) fn is_kept(id: RuleId) -> bool {
        usize::from(id) < KEPT.len()
    }

    /// Rules in use.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn get(&self, id: RuleId) -> Option<ir_rule> {
        self.places.get(usize::from(id)).map(|place| place.rule)
    }

    pub(super) fn id(&self, rule: &ir_rule) -> Option<RuleId> {
        self.ids.get(rule).copied()
    }

    /// How many rules more have a place now.
    pub(super) fn room(&mut self, now: Instant) -> usize {
        while let Some(&(since, id)) = self.resting.front() {
            if now.duration_since(since) < QUARANTINE {
                break;
            }
            self.resting.pop_front();
            self.free.push(id);
        }
        self.free.len() + self.limit - self.places.len()
    }

    /// Whether places rest that nobody uses.
    pub(super) fn has_resting(&self) -> bool {
        !self.resting.is_empty()
    }

    /// Nobody looks resting places up any more.
    pub(super) fn end_rest(&mut self) {
        self.free.extend(self.resting.drain(..).map(|(_, id)| id));
    }

    /// A page more uses `rule`. Returns its place, and whether it is to be written there; `None` if there is no room.
    pub(super) fn acquire(&mut self, rule: &ir_rule) -> Option<(RuleId, bool)> {
        if let Some(id) = self.id(rule) {
            self.places[usize::from(id)].users += 1;
            return Some((id, false));
        }
        let place = Place { rule: *rule, users: 1 };
        let id = match self.free.pop() {
            Some(id) => {
                self.places[usize::from(id)] = place;
                id
            }
            None if self.places.len() < self.limit => {
                self.places.push(place);
                (self.places.len() - 1) as RuleId
            }
            None => return None,
        };
        self.ids.insert(*rule, id);
        Some((id, true))
    }

    /// A page less uses the rule.
    pub(super) fn release(&mut self, id: RuleId, now: Instant) {
        let Some(place) = self.places.get_mut(usize::from(id)) else { return };
        place.users = place.users.saturating_sub(1);
        if place.users == 0 {
            self.ids.remove(&place.rule);
            self.resting.push_back((now, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(cfa_offset: i32) -> ir_rule {
        ir_rule { cfa_offset, ..ir_rule::default() }
    }

    #[test]
    fn a_rule_has_one_place_while_any_page_uses_it_and_the_place_rests_before_it_is_another_s() {
        let (mut rules, now) = (Rules::with_limit(4), Instant::now());
        assert_eq!(rules.room(now), 2);
        assert_eq!(rules.acquire(&rule(8)), Some((2, true)));
        assert_eq!(rules.acquire(&rule(8)), Some((2, false)));
        assert_eq!(rules.acquire(&rule(16)), Some((3, true)));
        assert_eq!(rules.acquire(&rule(24)), None);
        rules.release(2, now);
        assert_eq!((rules.acquire(&rule(24)), rules.id(&rule(8))), (None, Some(2)));
        rules.release(2, now);
        assert_eq!((rules.len(), rules.id(&rule(8))), (3, None));
        assert_eq!((rules.room(now), rules.acquire(&rule(24))), (0, None), "it rests");
        assert_eq!(rules.room(now + QUARANTINE), 1);
        assert_eq!(rules.acquire(&rule(24)), Some((2, true)));
        assert_eq!(rules.get(2), Some(rule(24)));
        rules.release(2, now);
        assert!(rules.has_resting());
        rules.end_rest();
        assert_eq!((rules.has_resting(), rules.room(now)), (false, 1));
    }

    #[test]
    fn what_every_page_may_need_has_a_place_from_the_start() {
        let rules = Rules::new();
        let kinds = [UNSUPPORTED, 1].map(|id| u32::from(rules.get(id).unwrap().kind));
        assert_eq!(kinds, KEPT);
        assert!(Rules::is_kept(1) && !Rules::is_kept(2));
    }
}
