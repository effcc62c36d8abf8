//! Distinct texts, one behind the other in one allocation.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

#[derive(Default)]
pub(crate) struct Texts {
    text: String,
    /// Where each ends in `text`.
    ends: Vec<u32>,
    by_text: HashTable<u32>,
    hasher: RandomState,
}

impl Texts {
    /// The number of a text, from 0. There is room for 4 GiB, of which the caller uses less.
    pub(crate) fn number(&mut self, value: &str) -> u32 {
        let Self { text, ends, by_text, hasher } = self;
        let is_same = |number: &u32| at(text, ends, *number) == value;
        let hash_of = |number: &u32| hasher.hash_one(at(text, ends, *number));
        match by_text.entry(hasher.hash_one(value), is_same, hash_of) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                let number = ends.len() as u32;
                place.insert(number);
                text.push_str(value);
                ends.push(text.len() as u32);
                number
            }
        }
    }

    /// Empty for a number of another table.
    pub(crate) fn get(&self, number: u32) -> &str {
        at(&self.text, &self.ends, number)
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.ends) + self.by_text.allocation_size()
    }

    /// Bytes that the table of them may grow by when `more` are added.
    pub(crate) fn growth(&self, more: usize) -> usize {
        let is_full = self.ends.len() + more > self.by_text.capacity();
        if is_full { self.by_text.allocation_size() } else { 0 }
    }
}

/// The text between two ends.
fn at<'t>(text: &'t str, ends: &[u32], number: u32) -> &'t str {
    let index = number as usize;
    let end = ends.get(index).copied().unwrap_or_default();
    let start = index.checked_sub(1).and_then(|before| ends.get(before)).copied();
    text.get(start.unwrap_or_default() as usize..end as usize).unwrap_or_default()
}
