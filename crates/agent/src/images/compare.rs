//! Whether two files have the same contents, as they must where one is to stand for the other.
//!
//! A build id is no proof: anyone can write any into a file. Every byte is compared, and files too large for that stay
//! two images. What is compared may change later: only files of those who are trusted anyway stand for others
//! (see `identity`).

use std::{fs::File, os::unix::fs::FileExt};

use infrared_processes::image::LoadSegments;
use lru::LruCache;

use super::{
    ImageId,
    identity::{FileIdentity, FileOwner},
    source::{ImageBytes, ImageSource},
};

/// Larger files are not compared.
const MAX_COMPARED: u64 = 32 << 20;
const PIECE: usize = 128 << 10;
/// Build ids that are known, and files of each: more need not be found again.
const MAX_BUILD_IDS: usize = 8192;
const MAX_FILES: usize = 4;

#[derive(Debug)]
struct Known {
    image: ImageId,
    source: ImageSource,
    segments: LoadSegments,
    identity: FileIdentity,
    owner: FileOwner,
}

/// Files by their build ids.
#[derive(Debug)]
pub(super) struct SameContents {
    known: LruCache<String, Vec<Known>>,
}

impl Default for SameContents {
    fn default() -> Self {
        Self { known: LruCache::unbounded() }
    }
}

impl SameContents {
    /// The image with the contents of `bytes`, if one is known that may stand for it; else it is known from now on.
    pub(super) fn find(
        &mut self,
        (image, source): (ImageId, &ImageSource),
        bytes: &ImageBytes,
        build_id: &str,
        segments: &LoadSegments,
    ) -> Option<ImageId> {
        let ImageBytes::File(file) = bytes else { return None };
        let (identity, owner) = FileIdentity::of(file).ok()?;
        let known = self.known.get_or_insert_mut(build_id.to_owned(), Vec::new);
        let same = known.iter().find(|known| {
            known.segments == *segments
                && known.identity.size == identity.size
                && known.owner.may_stand_for(owner)
                && has_contents_of(&known.source, file, identity.size)
        });
        if let Some(same) = same {
            return Some(same.image);
        }
        if known.len() >= MAX_FILES {
            known.remove(0);
        }
        let (source, segments) = (source.clone(), segments.clone());
        known.push(Known { image, source, segments, identity, owner });
        if self.known.len() > MAX_BUILD_IDS {
            self.known.pop_lru();
        }
        None
    }

    /// Images that are gone stand for nothing.
    pub(super) fn forget(&mut self, gone: &[ImageId]) {
        if gone.is_empty() {
            return;
        }
        let mut empty = Vec::new();
        for (build_id, known) in &mut self.known {
            known.retain(|known| !gone.contains(&known.image));
            if known.is_empty() {
                empty.push(build_id.clone());
            }
        }
        for build_id in empty {
            self.known.pop(&build_id);
        }
    }
}

fn has_contents_of(known: &ImageSource, file: &File, size: u64) -> bool {
    if size > MAX_COMPARED {
        return false;
    }
    let Ok(ImageBytes::File(known)) = known.open() else { return false };
    let (mut left, mut right) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    while at < size {
        let length = (size - at).min(PIECE as u64) as usize;
        let (left, right) = (&mut left[..length], &mut right[..length]);
        let is_read = known.read_exact_at(left, at).and(file.read_exact_at(right, at)).is_ok();
        if !is_read || left != right {
            return false;
        }
        at += length as u64;
    }
    true
}
