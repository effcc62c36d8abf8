//! BPF programs and other code that comes and goes in the kernel, by time: at one address stands this one now and that one
//! later, and a sample is named after what stood there when it was taken. Pure.

use std::{collections::HashMap, ops::Range, sync::Arc};

use crate::window::{KernelSymbol, Span};

/// Programs that are remembered at most; of more, those that went first are forgotten.
const MAX_KNOWN: usize = 4096;
/// What is known of a program by its start alone reaches no further: few are larger.
const REACH: u64 = 64 << 10;

/// A program, and how long it stood there (`CLOCK_MONOTONIC`).
#[derive(Debug)]
struct Known {
    id: u32,
    start: u64,
    end: u64,
    name: Arc<str>,
    from_ns: u64,
    until_ns: u64,
}

/// All programs that are known, in the order in which they became so.
#[derive(Debug, Default)]
pub(super) struct Programs {
    known: Vec<Known>,
    next: u32,
    /// Where all of them were: most of the kernel is elsewhere.
    reach: Range<u64>,
    /// What came or went before may have been lost, or forgotten.
    heard_since_ns: u64,
    has_seen: bool,
}

impl Programs {
    /// Takes in what came and went, in order of time, some of which may have been lost.
    pub(super) fn follow(&mut self, symbols: &[KernelSymbol], lost: Option<Span>) {
        let lost_from_ns = lost.map_or(u64::MAX, |lost| lost.start_ns);
        let heard = symbols.partition_point(|symbol| symbol.time_ns <= lost_from_ns);
        for symbol in &symbols[..heard] {
            self.apply(symbol);
        }
        let Some(lost) = lost else { return };
        self.doubt(lost);
        for symbol in symbols[heard..].iter().filter(|symbol| symbol.time_ns > lost.end_ns) {
            self.apply(symbol);
        }
    }

    fn apply(&mut self, symbol: &KernelSymbol) {
        let KernelSymbol { time_ns, address, length, name, is_gone } = symbol;
        let end = address.saturating_add((*length).into());
        let mut was_known = false;
        for known in self.known.iter_mut().filter(|known| known.until_ns == u64::MAX) {
            if known.start < end && known.end > *address {
                was_known |= known.start == *address && *known.name == **name;
                known.until_ns = *time_ns;
            }
        }
        if !is_gone {
            self.add(*address, end, name, (*time_ns, u64::MAX));
        } else if !was_known {
            // It was there before us, or before the last of which we know that it went.
            self.add(*address, end, name, (self.free_since(*address..end), *time_ns));
        }
    }

    /// Comings and goings of a time were lost: of what was there before it is not known how long it stayed, nor of what is
    /// there after it since when.
    fn doubt(&mut self, lost: Span) {
        for known in &mut self.known {
            known.until_ns = known.until_ns.min(lost.start_ns);
        }
        self.heard_since_ns = self.heard_since_ns.max(lost.end_ns);
    }

    /// Takes in what was there at a time: `present` are starts and names, ascending. What came shortly before may not have
    /// been told of yet: of the time before, only what was not told otherwise is believed, and only at first.
    pub(super) fn see<'s>(&mut self, present: impl Iterator<Item = (u64, &'s str)>, seen_ns: u64) {
        let is_first = !std::mem::replace(&mut self.has_seen, true);
        let present: Vec<(u64, &str)> = present.collect();
        let open = |known: &&Known| known.until_ns == u64::MAX;
        let starts: HashMap<u64, Arc<str>> =
            self.known.iter().filter(open).map(|it| (it.start, Arc::clone(&it.name))).collect();
        for (index, (start, name)) in present.iter().enumerate() {
            let other = starts.get(start);
            if other.is_some_and(|known| **known == **name) {
                continue;
            }
            let next = present.get(index + 1).map_or(u64::MAX, |(next, _)| *next);
            let end = next.min(start.saturating_add(REACH));
            let is_old = is_first && self.heard_since_ns == 0 && other.is_none();
            let since_ns = if is_old { self.free_since(*start..*start + 1) } else { seen_ns };
            self.add(*start, end, name, (since_ns, u64::MAX));
        }
    }

    /// Since when nothing that is known stands in a place: what came there unheard came no earlier.
    fn free_since(&self, place: Range<u64>) -> u64 {
        let is_there = |known: &&Known| known.start < place.end && known.end > place.start;
        let there = self.known.iter().filter(is_there);
        let gone = there.map(|known| known.until_ns).filter(|until| *until != u64::MAX);
        gone.max().unwrap_or(0).max(self.heard_since_ns)
    }

    fn add(&mut self, start: u64, end: u64, name: &str, (from_ns, until_ns): (u64, u64)) {
        if self.known.len() >= MAX_KNOWN {
            self.known.sort_by_key(|known| known.until_ns);
            let forgotten = self.known.drain(..MAX_KNOWN / 4);
            let gone = forgotten.map(|known| known.until_ns).filter(|until| *until != u64::MAX);
            self.heard_since_ns = gone.max().unwrap_or(0).max(self.heard_since_ns);
        }
        self.next += 1;
        let is_first = self.reach.is_empty();
        let (lowest, highest) = (self.reach.start.min(start), self.reach.end.max(end));
        self.reach = if is_first { start..end } else { lowest..highest };
        self.known.push(Known { id: self.next, start, end, name: name.into(), from_ns, until_ns });
    }

    /// A number of its own and the name of the program that stood at an address at a time.
    pub(super) fn find(&self, address: u64, time_ns: u64) -> Option<(u32, &Arc<str>)> {
        if !self.reach.contains(&address) {
            return None;
        }
        let is_there = |known: &&Known| {
            (known.start..known.end).contains(&address)
                && (known.from_ns..known.until_ns).contains(&time_ns)
        };
        // Of those whose end is a guess, the nearest.
        let found = self.known.iter().filter(is_there).max_by_key(|known| (known.start, known.id));
        found.map(|known| (known.id, &known.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(time_ns: u64, address: u64, name: &str, is_gone: bool) -> KernelSymbol {
        KernelSymbol { time_ns, address, length: 0x100, name: name.into(), is_gone }
    }

    fn name(programs: &Programs, address: u64, time_ns: u64) -> Option<&str> {
        programs.find(address, time_ns).map(|(_, name)| &**name)
    }

    #[test]
    fn a_sample_is_named_after_what_stood_there_when_it_was_taken() {
        let mut programs = Programs::default();
        programs.apply(&symbol(10, 0x1000, "alpha", false));
        programs.apply(&symbol(20, 0x1000, "alpha", true));
        programs.apply(&symbol(30, 0x1080, "beta", false));
        for (address, time_ns, expected) in [
            (0x1010, 9, None),
            (0x1010, 10, Some("alpha")),
            (0x1090, 15, Some("alpha")),
            (0x1010, 20, None),
            (0x1090, 25, None),
            (0x1090, 30, Some("beta")),
            (0x1010, 35, None),
            (0x1180, 35, None),
        ] {
            assert_eq!(name(&programs, address, time_ns), expected, "{address:x} at {time_ns}");
        }
    }

    #[test]
    fn one_whose_end_was_not_told_ends_where_another_comes() {
        let mut programs = Programs::default();
        programs.apply(&symbol(10, 0x1000, "alpha", false));
        programs.apply(&symbol(30, 0x1000, "beta", false));
        assert_eq!(
            (name(&programs, 0x1000, 29), name(&programs, 0x1000, 30)),
            (Some("alpha"), Some("beta"))
        );
    }

    #[test]
    fn what_was_there_before_us_is_known_by_what_is_there_or_by_its_end() {
        let mut programs = Programs::default();
        programs.apply(&symbol(20, 0x9_0000, "short", true));
        programs.see([(0x1000, "old"), (0x1100, "next")].into_iter(), 50);
        assert_eq!(name(&programs, 0x9_0010, 19), Some("short"));
        assert_eq!(name(&programs, 0x9_0010, 21), None);
        assert_eq!(
            (name(&programs, 0x10ff, 5), name(&programs, 0x1100, 5)),
            (Some("old"), Some("next"))
        );
        // What is seen at a place that had another one came after that, unheard: when is not known.
        programs.apply(&symbol(60, 0x1000, "old", true));
        programs.see([(0x1000, "new")].into_iter(), 90);
        let said = [55, 70, 90].map(|time_ns| name(&programs, 0x1000, time_ns));
        assert_eq!(said, [Some("old"), None, Some("new")]);
    }

    #[test]
    fn where_changes_were_lost_nobody_knows_what_stood_there() {
        let mut programs = Programs::default();
        let told = [
            symbol(10, 0x1000, "alpha", false),
            symbol(25, 0x1000, "brief", false),
            symbol(40, 0x1000, "beta", true),
        ];
        programs.follow(&told, Some(Span { start_ns: 20, end_ns: 30 }));
        programs.see([(0x1000, "gamma")].into_iter(), 60);
        let said = [15, 20, 29, 30, 39, 40, 59, 60].map(|at| name(&programs, 0x1000, at));
        let (alpha, beta, gamma) = (Some("alpha"), Some("beta"), Some("gamma"));
        assert_eq!(said, [alpha, None, None, beta, beta, None, None, gamma]);
    }

    #[test]
    fn what_is_seen_later_takes_no_name_from_what_was_known_of_the_time_before() {
        let mut programs = Programs::default();
        programs.apply(&symbol(10, 0x1000, "alpha", false));
        // The change itself is told with the next window.
        programs.see([(0x1000, "beta")].into_iter(), 60);
        assert_eq!(name(&programs, 0x1010, 30), Some("alpha"));
        programs.apply(&symbol(45, 0x1000, "alpha", true));
        programs.apply(&symbol(50, 0x1000, "beta", false));
        let said = [9, 30, 47, 50, 70].map(|time_ns| name(&programs, 0x1010, time_ns));
        assert_eq!(said, [None, Some("alpha"), None, Some("beta"), Some("beta")]);
    }

    #[test]
    fn they_do_not_grow_without_end() {
        let mut programs = Programs::default();
        for round in 0..3 * MAX_KNOWN as u64 {
            programs.apply(&symbol(round * 2, 0x1000, "loop", false));
            programs.apply(&symbol(round * 2 + 1, 0x1000, "loop", true));
        }
        assert!(programs.known.len() <= MAX_KNOWN);
        // Who stood there at first is forgotten, and nobody is called so instead.
        programs.apply(&symbol(99_999, 0x1000, "unheard", true));
        assert_eq!(name(&programs, 0x1000, 2), None);
    }
}
