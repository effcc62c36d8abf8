//! Kernel modules by time: at one address stands this one now and that one later. Nothing tells when they come and go, so they are
//! looked at from time to time (`/proc/modules`). What stood at an address is sure between two looks that saw one module there, and
//! unknown around a change. Pure, but for a look.
//!
//! A module that is unloaded and loaded again is told by its folder in sysfs, which is another then.

use std::{ops::Range, os::unix::fs::MetadataExt};

/// Modules that are remembered at most, those that are gone included: a machine has some hundred.
const MAX_KNOWN: usize = 4096;

/// A module that a look saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoadedModule {
    name: Box<str>,
    /// Its code and, depending on the kernel, data; never less than its code.
    place: Range<u64>,
    /// Another each time that it is loaded.
    load: u64,
}

/// A time of which only limits are known (`CLOCK_MONOTONIC`), both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Between {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
}

#[derive(Debug)]
struct Known {
    id: u32,
    module: LoadedModule,
    /// It was there at least from then to then.
    from_ns: u64,
    until_ns: u64,
    is_there: bool,
}

/// All that are known.
#[derive(Debug, Default)]
pub(super) struct Modules {
    known: Vec<Known>,
    next: u32,
    /// Where all of them were: most of the kernel is elsewhere.
    reach: Range<u64>,
    has_seen: bool,
}

impl Modules {
    /// Looks at what is loaded now. Returns whether that is other than at the last look.
    pub(super) fn look(&mut self) -> bool {
        let start_ns = infrared_bpf::monotonic_ns();
        let text = std::fs::read_to_string("/proc/modules").unwrap_or_default();
        let of_sysfs = |name: &str| std::fs::metadata(format!("/sys/module/{name}"));
        let load = |name: &str| of_sysfs(name).map_or(0, |folder| folder.ino());
        let present = text.lines().filter_map(|line| parse(line, load)).collect();
        let end_ns = infrared_bpf::monotonic_ns();
        self.see(present, Between { start_ns, end_ns })
    }

    /// Takes in what was there at a time. What the first look sees is taken to have been there before us.
    fn see(&mut self, present: Vec<LoadedModule>, when: Between) -> bool {
        let mut was_there: Vec<bool> =
            self.known.iter_mut().map(|known| std::mem::take(&mut known.is_there)).collect();
        let mut has_changed = false;
        for module in present {
            let is_it = |known: &Known| {
                (&known.module.name, known.module.load, known.module.place.start)
                    == (&module.name, module.load, module.place.start)
            };
            let place = self.known.iter().position(is_it).filter(|at| was_there[*at]);
            if let Some(known) = place.and_then(|at| self.known.get_mut(at)) {
                // Once it runs it has no more than it began with.
                let end = known.module.place.end.max(module.place.end);
                (known.module.place.end, known.until_ns) = (end, when.start_ns);
                known.is_there = true;
                continue;
            }
            has_changed = true;
            self.next += 1;
            let from_ns = if self.has_seen { when.end_ns } else { 0 };
            let until_ns = when.start_ns;
            self.known.push(Known { id: self.next, module, from_ns, until_ns, is_there: true });
            was_there.push(false);
        }
        self.has_seen = true;
        let places = || self.known.iter().map(|known| &known.module.place);
        let lowest = places().map(|place| place.start).min().unwrap_or(0);
        self.reach = lowest..places().map(|place| place.end).max().unwrap_or(0);
        let went = |(known, was_there): (&Known, &bool)| *was_there && !known.is_there;
        has_changed |= self.known.iter().zip(&was_there).any(went);
        if self.known.len() > MAX_KNOWN {
            self.known.sort_by_key(|known| known.until_ns);
            self.known.drain(..self.known.len() - MAX_KNOWN / 2);
        }
        has_changed
    }

    /// Where all of them stand, or stood.
    pub(super) fn reach(&self) -> &Range<u64> {
        &self.reach
    }

    /// Whether a module stands, or stood, at an address.
    pub(super) fn has(&self, address: u64) -> bool {
        self.known.iter().any(|known| known.module.place.contains(&address))
    }

    /// The number of the module of a name, if it stood at an address at both times for sure.
    pub(super) fn sure(&self, name: &str, address: u64, times: [Between; 2]) -> Option<u32> {
        let is_sure = |known: &&Known| {
            let is_there =
                |time: &Between| known.from_ns <= time.start_ns && time.end_ns <= known.until_ns;
            *known.module.name == *name
                && known.module.place.contains(&address)
                && times.iter().all(is_there)
        };
        self.known.iter().find(is_sure).map(|known| known.id)
    }
}

impl Between {
    pub(super) fn at(time_ns: u64) -> Self {
        Self { start_ns: time_ns, end_ns: time_ns }
    }
}

/// Source of the format: proc(5), `kernel/module/procfs.c`: name, size, references, users, state, address of its code.
fn parse(line: &str, load: impl Fn(&str) -> u64) -> Option<LoadedModule> {
    let mut words = line.split_ascii_whitespace();
    let (name, size) = (words.next()?, words.next()?.parse::<u64>().ok()?);
    let address = words.nth(3)?.strip_prefix("0x")?;
    // 0 where they are hidden; so are those of functions then.
    let start = u64::from_str_radix(address, 16).ok().filter(|start| *start != 0)?;
    let place = start..start.saturating_add(size);
    Some(LoadedModule { name: name.into(), place, load: load(name) })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const TEXT: &str = "\
nvme 61440 3 - Live 0xffffffffc0100000\n\
nvme_core 245760 5 nvme,nvme_fabrics, Loading 0xffffffffc0200000 (OE)\n\
hidden 4096 0 - Live 0x0000000000000000\n\
damaged 4096\n";

    /// Takes in modules by name, start and load, of 0x1000 bytes each.
    pub(in crate::naming) fn see(
        modules: &mut Modules,
        present: &[(&str, u64, u64)],
        time_ns: u64,
    ) -> bool {
        let module = |(name, start, load): &(&str, u64, u64)| LoadedModule {
            name: (*name).into(),
            place: *start..start + 0x1000,
            load: *load,
        };
        modules.see(present.iter().map(module).collect(), Between::at(time_ns))
    }

    fn is_sure(modules: &Modules, name: &str, times: [u64; 2]) -> bool {
        modules.sure(name, 0x1010, times.map(Between::at)).is_some()
    }

    #[test]
    fn modules_are_read_as_the_kernel_lists_them() {
        let present: Vec<_> =
            TEXT.lines().filter_map(|line| parse(line, |name| name.len() as u64)).collect();
        let module = |name: &str, start: u64, size: u64| LoadedModule {
            name: name.into(),
            place: start..start + size,
            load: name.len() as u64,
        };
        let expected = [
            module("nvme", 0xffff_ffff_c010_0000, 61_440),
            module("nvme_core", 0xffff_ffff_c020_0000, 245_760),
        ];
        assert_eq!(present, expected);
    }

    #[test]
    fn a_module_is_sure_between_looks_that_saw_it() {
        let mut modules = Modules::default();
        assert!(see(&mut modules, &[("a", 0x1000, 1)], 10));
        assert!(!see(&mut modules, &[("a", 0x1000, 1)], 20));
        assert!(see(&mut modules, &[("b", 0x1000, 2)], 30));
        assert!(!see(&mut modules, &[("b", 0x1000, 2)], 40));
        for (name, times, expected) in [
            ("a", [5, 10], true),
            ("a", [15, 20], true),
            ("a", [15, 25], false),
            ("b", [25, 35], false),
            ("b", [30, 40], true),
            ("b", [35, 41], false),
            ("a", [35, 35], false),
        ] {
            assert_eq!(is_sure(&modules, name, times), expected, "{name} {times:?}");
        }
        assert!(modules.sure("b", 0x2000, [30, 40].map(Between::at)).is_none());
        assert!(modules.has(0x1fff) && !modules.has(0x2000));
    }

    #[test]
    fn one_that_was_loaded_again_may_have_been_another_meanwhile() {
        let mut modules = Modules::default();
        see(&mut modules, &[("a", 0x1000, 1)], 10);
        assert!(see(&mut modules, &[("a", 0x1000, 2)], 20));
        assert!(!is_sure(&modules, "a", [10, 20]));
        assert!(is_sure(&modules, "a", [10, 10]) && is_sure(&modules, "a", [20, 20]));
        assert!(see(&mut modules, &[], 30), "it is gone");
        assert!(
            see(&mut modules, &[("a", 0x1000, 2)], 40),
            "and there again, were its folder the same"
        );
        assert!(!is_sure(&modules, "a", [20, 40]));
    }

    #[test]
    fn they_do_not_grow_without_end() {
        let mut modules = Modules::default();
        for load in 0..3 * MAX_KNOWN as u64 {
            see(&mut modules, &[("a", 0x1000, load)], load);
        }
        assert!(modules.known.len() <= MAX_KNOWN);
    }
}
