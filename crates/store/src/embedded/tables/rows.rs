//! Lists and their index, each in one allocation. A head has tens of thousands of lists, most of them short: as vectors of
//! their own, and as keys of a map besides, they took five times the memory.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Lists, one behind the other.
#[derive(Debug)]
pub(super) struct Rows<T> {
    items: Vec<T>,
    /// Where each ends in `items`.
    ends: Vec<usize>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { items: Vec::new(), ends: Vec::new() }
    }
}

impl<T: Copy> Rows<T> {
    pub(super) fn push(&mut self, row: &[T]) {
        self.items.extend_from_slice(row);
        self.ends.push(self.items.len());
    }

    /// Empty beyond the last.
    pub(super) fn get(&self, index: u32) -> &[T] {
        let index = index as usize;
        let end = self.ends.get(index).copied().unwrap_or_default();
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        self.items.get(start.unwrap_or_default()..end).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.items) + size_of_val(&*self.ends)
    }
}

/// Finds entries of a table by their content, of which it keeps no copy.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: HashTable<u32>,
    hasher: RandomState,
}

impl Index {
    /// The entry with the key `key`. If there is none, the next one (`len`) is to be it, and the answer is `Err`.
    pub(super) fn find_or_add<K: Hash + Eq>(
        &mut self,
        key: &K,
        len: usize,
        key_of: impl Fn(u32) -> K,
    ) -> Result<u32, u32> {
        let Self { entries, hasher } = self;
        let hash_of = |id: &u32| hasher.hash_one(key_of(*id));
        match entries.entry(hasher.hash_one(key), |id| key_of(*id) == *key, hash_of) {
            Entry::Occupied(known) => Ok(*known.get()),
            Entry::Vacant(place) => {
                place.insert(len as u32);
                Err(len as u32)
            }
        }
    }

    pub(super) fn find<K: Hash + Eq>(&self, key: &K, key_of: impl Fn(u32) -> K) -> Option<u32> {
        self.entries.find(self.hasher.hash_one(key), |id| key_of(*id) == *key).copied()
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_found_by_what_is_in_them() {
        let (mut rows, mut index) = (Rows::default(), Index::default());
        for round in 0..2 {
            for n in 0..1000_u32 {
                let row: Vec<u32> = (0..n % 7).map(|i| n + i).chain([n]).collect();
                let known = index.find_or_add(&&row[..], n as usize, |id| rows.get(id));
                assert_eq!(known, if round == 0 { Err(n) } else { Ok(n) });
                if round == 0 {
                    rows.push(&row);
                }
                assert_eq!(rows.get(n), row);
            }
        }
        assert_eq!(index.find(&&[3, 4, 5, 3][..], |id| rows.get(id)), Some(3));
        assert_eq!(index.find(&&[3, 4, 5][..], |id| rows.get(id)), None);
        assert!(rows.get(1000).is_empty());
    }
}
