//! Stacks, leaf first. Two of the same hash are one, as they are on disk.

use infrared_profile::LocationId;

use super::rows::{Index, Rows};
use crate::embedded::ids::StackHash;

#[derive(Debug, Default)]
pub(super) struct Stacks {
    frames: Rows<LocationId>,
    hashes: Vec<StackHash>,
    index: Index,
}

impl Stacks {
    pub(super) fn intern(&mut self, hash: StackHash, stack: &[LocationId]) -> u32 {
        let Self { frames, hashes, index } = self;
        let key_of = |id: u32| hashes.get(id as usize).copied();
        index.find_or_add(&Some(hash), hashes.len(), key_of).unwrap_or_else(|next| {
            frames.push(stack);
            hashes.push(hash);
            next
        })
    }

    pub(super) fn get(&self, id: u32) -> &[LocationId] {
        self.frames.get(id)
    }

    pub(super) fn hash(&self, id: u32) -> Option<StackHash> {
        self.hashes.get(id as usize).copied()
    }

    pub(super) fn find(&self, hash: StackHash) -> Option<u32> {
        self.index.find(&Some(hash), |id| self.hash(id))
    }

    pub(super) fn bytes(&self) -> usize {
        self.frames.bytes() + size_of_val(&*self.hashes) + self.index.bytes()
    }
}
