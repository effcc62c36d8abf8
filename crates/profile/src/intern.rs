//! Interning: equal values get equal small ids, and each is stored once.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use indexmap::IndexSet;

/// Index into the string table of one [`crate::Profile`]. Id 0 is the empty string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StringId(pub u32);

/// A table of distinct values, in order of first sight.
#[derive(Clone, Debug)]
pub struct Interner<T: Eq + Hash>(IndexSet<T>);

impl<T: Eq + Hash> Default for Interner<T> {
    fn default() -> Self {
        Self(IndexSet::new())
    }
}

impl<T: Eq + Hash> Interner<T> {
    pub fn intern(&mut self, value: T) -> u32 {
        self.0.insert_full(value).0 as u32
    }

    pub fn get(&self, id: u32) -> Option<&T> {
        self.0.get_index(id as usize)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The string table. `""` is always id 0.
///
/// The texts lie one behind the other: a profile has tens of thousands, and an allocation each would take as much again.
#[derive(Clone, Debug)]
pub struct Strings {
    text: String,
    /// Where each ends in `text`.
    ends: Vec<usize>,
    by_text: HashTable<u32>,
    hasher: RandomState,
}

impl Default for Strings {
    fn default() -> Self {
        let mut strings = Self {
            text: String::new(),
            ends: Vec::new(),
            by_text: HashTable::new(),
            hasher: RandomState::new(),
        };
        strings.intern("");
        strings
    }
}

impl Strings {
    pub fn intern(&mut self, value: &str) -> StringId {
        let Self { text, ends, by_text, hasher } = self;
        let is_same = |id: &u32| at(text, ends, *id as usize) == value;
        let hash_of = |id: &u32| hasher.hash_one(at(text, ends, *id as usize));
        match by_text.entry(hasher.hash_one(value), is_same, hash_of) {
            Entry::Occupied(known) => StringId(*known.get()),
            Entry::Vacant(place) => {
                let id = ends.len() as u32;
                place.insert(id);
                text.push_str(value);
                ends.push(text.len());
                StringId(id)
            }
        }
    }

    /// The string of `id`; empty for an id of another table.
    pub fn get(&self, id: StringId) -> &str {
        at(&self.text, &self.ends, id.0 as usize)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.ends.len()).map(|index| at(&self.text, &self.ends, index))
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.ends) + self.by_text.allocation_size()
    }
}

/// The text between two ends.
fn at<'t>(text: &'t str, ends: &[usize], index: usize) -> &'t str {
    let end = ends.get(index).copied().unwrap_or_default();
    let start = index.checked_sub(1).and_then(|before| ends.get(before)).copied();
    text.get(start.unwrap_or_default()..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_have_one_id_and_a_strange_id_is_empty() {
        let mut strings = Strings::default();
        let texts: Vec<String> = (0..5000).map(|n| format!("name é {}", n % 1000)).collect();
        let ids: Vec<StringId> = texts.iter().map(|text| strings.intern(text)).collect();
        assert_eq!((strings.len(), strings.iter().len()), (1001, 1001));
        for (text, id) in texts.iter().zip(&ids) {
            assert_eq!(strings.get(*id), text);
            assert_eq!(strings.intern(text), *id);
        }
        assert_eq!(strings.intern(""), StringId(0));
        assert_eq!(strings.iter().next(), Some(""));
        assert_eq!([1001, u32::MAX].map(|id| strings.get(StringId(id))), ["", ""]);
        let text: usize = strings.iter().map(str::len).sum();
        assert!(
            (text..text + 20 * strings.len()).contains(&strings.bytes()),
            "{}",
            strings.bytes()
        );
    }
}
