//! Places in code, with the functions that are there.

use infrared_profile::{FrameKind, Line, ModuleId};

use super::rows::{Index, Rows};
use crate::embedded::ids::LocationHash;

/// [`infrared_profile::Location`] without its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::embedded) struct Place {
    pub(in crate::embedded) address: u64,
    pub(in crate::embedded) module: Option<ModuleId>,
    pub(in crate::embedded) kind: FrameKind,
    pub(in crate::embedded) low_confidence: bool,
    pub(in crate::embedded) unnamed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Locations {
    places: Vec<Place>,
    lines: Rows<Line>,
    hashes: Vec<LocationHash>,
    index: Index,
}

impl Locations {
    pub(super) fn intern(
        &mut self,
        place: Place,
        lines: &[Line],
        hash: impl FnOnce() -> LocationHash,
    ) -> u32 {
        let Self { places, lines: rows, index, .. } = self;
        let key_of = |id: u32| (places.get(id as usize).copied(), rows.get(id));
        let found = index.find_or_add(&(Some(place), lines), places.len(), key_of);
        found.unwrap_or_else(|next| {
            self.places.push(place);
            self.lines.push(lines);
            self.hashes.push(hash());
            next
        })
    }

    pub(super) fn get(&self, id: u32) -> Option<(&Place, &[Line])> {
        Some((self.places.get(id as usize)?, self.lines.get(id)))
    }

    pub(super) fn hash(&self, id: u32) -> Option<LocationHash> {
        self.hashes.get(id as usize).copied()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.places)
            + self.lines.bytes()
            + size_of_val(&*self.hashes)
            + self.index.bytes()
    }
}
