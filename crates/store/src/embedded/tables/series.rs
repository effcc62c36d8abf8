//! Who was sampled. Beside builds every process is a series of its own, with the same dozen labels and nearly the same values:
//! labels are ids of strings. Two of the same hash are one, as they are on disk.

use infrared_profile::{Series, StringId, Strings, ValueType};

use super::rows::{Index, Rows};
use crate::embedded::ids::{SeriesHash, SeriesKey};

#[derive(Clone, Copy, Debug)]
struct Counted {
    kind: StringId,
    unit: StringId,
    period_ns: u64,
}

#[derive(Debug, Default)]
pub(super) struct SeriesTable {
    counted: Vec<Counted>,
    labels: Rows<(StringId, StringId)>,
    hashes: Vec<SeriesHash>,
    index: Index,
}

impl SeriesTable {
    pub(super) fn intern(
        &mut self,
        strings: &mut Strings,
        (value_type, period_ns): (&ValueType, u64),
        labels: &Series,
    ) -> u32 {
        let hash = SeriesHash::of(value_type, period_ns, labels);
        let Self { hashes, index, .. } = self;
        let key_of = |id: u32| hashes.get(id as usize).copied();
        index.find_or_add(&Some(hash), hashes.len(), key_of).unwrap_or_else(|next| {
            let mut string = |text: &str| strings.intern(text);
            let (kind, unit) = (string(&value_type.kind), string(&value_type.unit));
            self.counted.push(Counted { kind, unit, period_ns });
            let labels = labels.iter().map(|(name, value)| (string(name), string(value)));
            self.labels.push(&labels.collect::<Vec<_>>());
            self.hashes.push(hash);
            next
        })
    }

    /// All, each with what its hash is of.
    pub(super) fn iter<'t>(
        &'t self,
        strings: &'t Strings,
    ) -> impl Iterator<Item = (SeriesHash, SeriesKey)> {
        let text = |id| strings.get(id).to_owned();
        self.counted.iter().zip(&self.hashes).zip(0..).map(move |((counted, hash), id)| {
            let value_type = ValueType { kind: text(counted.kind), unit: text(counted.unit) };
            let labels =
                self.labels.get(id).iter().map(|(name, value)| (text(*name), text(*value)));
            let key =
                SeriesKey { value_type, period_ns: counted.period_ns, labels: labels.collect() };
            (*hash, key)
        })
    }

    pub(super) fn hash(&self, id: u32) -> Option<SeriesHash> {
        self.hashes.get(id as usize).copied()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.counted)
            + self.labels.bytes()
            + size_of_val(&*self.hashes)
            + self.index.bytes()
    }
}
