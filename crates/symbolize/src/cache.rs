//! Named addresses, and the strings that they share, bounded in bytes.
//!
//! There are tens of thousands, and they live long: an allocation for each, beside those of every window, left the heap full
//! of holes. So they are kept in two generations, each of few allocations, that is only added to and goes as a whole. What is
//! asked for moves into the younger one; when that is full it becomes the elder, and what was in the elder, not asked for in
//! all that time, goes.
//!
//! Where only symbols name an image, a whole function has one name: that is kept once, and names addresses that were never
//! asked for. Of a compiler's new addresses two of three lie in functions that are known.

use std::collections::{BTreeMap, HashMap as BatchMap};
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::line::{Line, Symbolized};
use crate::texts::Texts;

/// An image, as a number of our own.
pub(crate) type ImageSerial = u32;

/// Results by (image, stated address), or addresses.
pub(crate) struct ResultCache {
    young: Generation,
    old: Generation,
    max_bytes: usize,
}

#[derive(Default)]
struct Generation {
    entries: HashMap<(ImageSerial, u64), Entry>,
    /// By where they start, and where they end.
    functions: BTreeMap<(ImageSerial, u64), (u64, Entry)>,
    lines: Vec<KeptLine>,
    texts: Texts,
}

/// Which lines an address has.
#[derive(Clone, Copy)]
struct Entry {
    first: u32,
    count: u32,
    unnamed: bool,
}

/// [`Line`], its texts by number.
#[derive(Clone, Copy)]
struct KeptLine {
    function: u32,
    system_name: u32,
    file: u32,
    line: u32,
}

/// The texts of a batch's answers, each made once.
pub(crate) type Shared = BatchMap<Box<str>, Arc<str>>;

impl ResultCache {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), max_bytes }
    }

    pub(crate) fn get(
        &mut self,
        image: ImageSerial,
        svma: u64,
        shared: &mut Shared,
    ) -> Option<Symbolized> {
        if let Some((_, found)) = self.young.get(image, svma, shared) {
            return Some(found);
        }
        let (extent, found) = self.old.get(image, svma, shared)?;
        self.insert(image, extent, &found);
        Some(found)
    }

    /// `extent`: all addresses that this names.
    pub(crate) fn insert(
        &mut self,
        image: ImageSerial,
        extent: Range<u64>,
        symbolized: &Symbolized,
    ) {
        let most = self.max_bytes / 2;
        if cost(symbolized) > most {
            return;
        }
        if self.young.bytes_with(symbolized) > most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(image, extent, symbolized);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.young.bytes() + self.old.bytes()
    }
}

/// Bytes of a function in its tree, whose nodes are half full at worst.
const FUNCTION: usize = 2 * (size_of::<(ImageSerial, u64)>() + size_of::<(u64, Entry)>());

/// The most that an entry can add, but for the growth of tables.
fn cost(symbolized: &Symbolized) -> usize {
    let line = |line: &Line| {
        let text = line.function.len() + line.system_name.len() + line.file.len();
        size_of::<KeptLine>() + text + 3 * size_of::<u32>()
    };
    FUNCTION + symbolized.lines.iter().map(line).sum::<usize>()
}

impl Generation {
    fn get(
        &self,
        image: ImageSerial,
        svma: u64,
        shared: &mut Shared,
    ) -> Option<(Range<u64>, Symbolized)> {
        let (extent, entry) = match self.entries.get(&(image, svma)) {
            Some(entry) => (svma..svma.saturating_add(1), entry),
            None => self.function(image, svma)?,
        };
        let lines = self.lines.get(entry.first as usize..)?.get(..entry.count as usize)?;
        let mut text = |number: u32| {
            let text = self.texts.get(number);
            if let Some(known) = shared.get(text) {
                return Arc::clone(known);
            }
            let made: Arc<str> = text.into();
            shared.insert(text.into(), Arc::clone(&made));
            made
        };
        let lines = lines.iter().map(|kept| Line {
            function: text(kept.function),
            system_name: text(kept.system_name),
            file: text(kept.file),
            line: kept.line,
        });
        Some((extent, Symbolized { lines: lines.collect(), unnamed: entry.unnamed }))
    }

    fn function(&self, image: ImageSerial, svma: u64) -> Option<(Range<u64>, &Entry)> {
        let ((_, start), (end, entry)) =
            self.functions.range((image, 0)..=(image, svma)).next_back()?;
        (svma < *end).then_some((*start..*end, entry))
    }

    fn insert(&mut self, image: ImageSerial, extent: Range<u64>, symbolized: &Symbolized) {
        let first = self.lines.len() as u32;
        for line in &*symbolized.lines {
            let [function, system_name, file] =
                [&line.function, &line.system_name, &line.file].map(|text| self.texts.number(text));
            self.lines.push(KeptLine { function, system_name, file, line: line.line });
        }
        let count = symbolized.lines.len() as u32;
        let entry = Entry { first, count, unnamed: symbolized.unnamed };
        if extent.end - extent.start > 1 {
            self.functions.insert((image, extent.start), (extent.end, entry));
        } else {
            self.entries.insert((image, extent.start), entry);
        }
    }

    fn bytes(&self) -> usize {
        let functions = self.functions.len() * FUNCTION;
        self.entries.allocation_size() + functions + size_of_val(&*self.lines) + self.texts.bytes()
    }

    /// At most, once it holds `symbolized` too: its tables may have to grow to twice their size.
    fn bytes_with(&self, symbolized: &Symbolized) -> usize {
        let is_full = self.entries.len() == self.entries.capacity();
        let grown = if is_full { self.entries.allocation_size() } else { 0 };
        self.bytes() + grown + self.texts.growth(3 * symbolized.lines.len()) + cost(symbolized)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbolized(name: &str) -> Symbolized {
        let name: Arc<str> = name.into();
        let line =
            Line { function: Arc::clone(&name), system_name: name, file: "file.c".into(), line: 1 };
        Symbolized { lines: [line.clone(), line].into(), unnamed: false }
    }

    fn one(svma: u64) -> Range<u64> {
        svma..svma + 1
    }

    #[test]
    fn results_stay_within_the_budget_and_those_that_are_asked_for_stay() {
        let mut cache = ResultCache::new(40_000);
        cache.insert(7, one(7), &symbolized("asked for"));
        for svma in 0..50_000 {
            cache.insert(1, one(svma), &symbolized(&format!("function_{svma:020}")));
            cache.insert(1, one(svma), &symbolized("again"));
            assert!(cache.bytes() <= 40_000, "{}", cache.bytes());
            let asked_for = cache.get(7, 7, &mut Shared::new());
            assert_eq!(asked_for, Some(symbolized("asked for")), "{svma}");
        }
        let mut get = |image, svma| cache.get(image, svma, &mut Shared::new());
        assert!(get(1, 0).is_none() && get(2, 49_999).is_none());
        assert_eq!(get(1, 49_999), Some(symbolized("again")));
        assert!(get(1, 49_990).is_some());
    }

    #[test]
    fn a_function_names_its_addresses_and_no_others_and_stays_while_it_is_asked_for() {
        let mut cache = ResultCache::new(40_000);
        cache.insert(7, 100..200, &symbolized("function"));
        cache.insert(7, 200..300, &symbolized("next"));
        for number in 0..20_000u64 {
            let start = 10 * number;
            cache.insert(1, start..start + 9, &symbolized(&format!("function_{number:020}")));
            assert!(cache.bytes() <= 40_000, "{}", cache.bytes());
            let mut name = |image, svma| {
                let found = cache.get(image, svma, &mut Shared::new());
                found.map(|found| found.lines[0].function.to_string())
            };
            let asked_for = [99, 100, 199, 200, 299, 300].map(|svma| name(7, svma));
            let expected = ["", "function", "function", "next", "next", ""]
                .map(|name| (!name.is_empty()).then(|| name.to_owned()));
            assert_eq!(asked_for, expected, "{number}");
            assert_eq!(name(1, start + 8), Some(format!("function_{number:020}")));
            assert_eq!([name(1, start + 9), name(6, 150), name(8, 150)], [None, None, None]);
        }
        assert_eq!(cache.get(1, 1, &mut Shared::new()), None);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let mut cache = ResultCache::new(0);
        cache.insert(1, one(1), &symbolized("a"));
        assert!(cache.get(1, 1, &mut Shared::new()).is_none());
    }

    #[test]
    fn answers_of_a_batch_share_their_texts() {
        let mut cache = ResultCache::new(1 << 20);
        (0..2).for_each(|svma| cache.insert(1, one(svma), &symbolized("a")));
        let mut shared = Shared::new();
        let [a, b] = [0, 1].map(|svma| cache.get(1, svma, &mut shared).unwrap());
        assert!(Arc::ptr_eq(&a.lines[0].function, &b.lines[1].system_name));
    }
}
