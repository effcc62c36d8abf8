//! Interning: equal values get equal small ids, and each is stored once.

use std::hash::Hash;

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
#[derive(Clone, Debug)]
pub struct Strings(IndexSet<Box<str>>);

impl Default for Strings {
    fn default() -> Self {
        Self(IndexSet::from([Box::from("")]))
    }
}

impl Strings {
    pub fn intern(&mut self, value: &str) -> StringId {
        if let Some(index) = self.0.get_index_of(value) {
            return StringId(index as u32);
        }
        StringId(self.0.insert_full(value.into()).0 as u32)
    }

    /// The string of `id`; empty for an id of another table.
    pub fn get(&self, id: StringId) -> &str {
        self.0.get_index(id.0 as usize).map_or("", |s| s)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        false
    }
}
