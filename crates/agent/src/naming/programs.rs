//! BPF programs and other code that comes and goes in the kernel, by time: at one address stands this one now and that one
//! later, and a sample is named after what stood there when it was taken. Pure.

use std::{ops::Range, sync::Arc};

use crate::window::KernelSymbol;

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
}

impl Programs {
    /// Takes in what came or went.
    pub(super) fn apply(&mut self, symbol: &KernelSymbol) {
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
            // It was there before us.
            self.add(*address, end, name, (0, *time_ns));
        }
    }

    /// Takes in what is there at a time: `present` are starts and names, ascending.
    pub(super) fn see<'s>(&mut self, present: impl Iterator<Item = (u64, &'s str)>, now_ns: u64) {
        let present: Vec<(u64, &str)> = present.collect();
        for (index, (start, name)) in present.iter().enumerate() {
            let is_it = |known: &Known| {
                known.start == *start && *known.name == **name && known.until_ns == u64::MAX
            };
            if self.known.iter().any(is_it) {
                continue;
            }
            let next = present.get(index + 1).map_or(u64::MAX, |(next, _)| *next);
            let end = next.min(start.saturating_add(REACH));
            let since_ns = self.last_gone_at(*start);
            self.known
                .iter_mut()
                .filter(|known| known.start == *start && known.until_ns == u64::MAX)
                .for_each(|known| known.until_ns = now_ns);
            self.add(*start, end, name, (since_ns, u64::MAX));
        }
    }

    /// When the last one at a start went; 0: none did.
    fn last_gone_at(&self, start: u64) -> u64 {
        let gone = self.known.iter().filter(|known| known.start == start);
        gone.map(|known| known.until_ns).filter(|until| *until != u64::MAX).max().unwrap_or(0)
    }

    fn add(&mut self, start: u64, end: u64, name: &str, (from_ns, until_ns): (u64, u64)) {
        if self.known.len() >= MAX_KNOWN {
            self.known.sort_by_key(|known| known.until_ns);
            self.known.drain(..MAX_KNOWN / 4);
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
        // What came at a place that had another one came after that.
        programs.apply(&symbol(60, 0x1000, "old", true));
        programs.see([(0x1000, "new")].into_iter(), 90);
        assert_eq!(
            (name(&programs, 0x1000, 55), name(&programs, 0x1000, 70)),
            (Some("old"), Some("new"))
        );
    }

    #[test]
    fn they_do_not_grow_without_end() {
        let mut programs = Programs::default();
        for round in 0..3 * MAX_KNOWN as u64 {
            programs.apply(&symbol(round * 2, 0x1000, "loop", false));
            programs.apply(&symbol(round * 2 + 1, 0x1000, "loop", true));
        }
        assert!(programs.known.len() <= MAX_KNOWN);
    }
}
