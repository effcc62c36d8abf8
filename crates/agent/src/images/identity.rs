//! What tells a file from every other, and from itself with other contents.

use std::{fs::File, io, os::unix::fs::MetadataExt};

use infrared_processes::maps::Mapping;

use crate::copies::Copied;

/// Device, inode, size and times of change. Whoever writes to a file changes its times, but for writes through shared
/// mappings: see [`FileOwner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
    pub(super) size: u64,
    modified_ns: (i64, i64),
    changed_ns: (i64, i64),
}

/// Who can change a file's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileOwner {
    user: u32,
    /// Others can write to it as well.
    is_shared: bool,
}

/// A file's group and everybody may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

impl FileIdentity {
    pub(crate) fn of(file: &File) -> io::Result<(Self, FileOwner)> {
        let meta = file.metadata()?;
        let identity = Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified_ns: (meta.mtime(), meta.mtime_nsec()),
            changed_ns: (meta.ctime(), meta.ctime_nsec()),
        };
        let is_shared = meta.mode() & WRITABLE_BY_OTHERS != 0;
        Ok((identity, FileOwner { user: meta.uid(), is_shared }))
    }
}

impl FileIdentity {
    /// Of a copy: the file that is mapped, by its contents, and whose process has them. It has no times, and in their place what no
    /// file has by accident.
    pub(crate) fn of_copy(mapping: &Mapping, user: u32, copied: &Copied) -> Self {
        let words = copied.digest.as_chunks::<8>().0;
        let word = |at: usize| words.get(at).map_or(0, |word| i64::from_ne_bytes(*word));
        Self {
            device: u64::from(mapping.device.major) << 32 | u64::from(mapping.device.minor),
            inode: mapping.inode,
            size: copied.length,
            modified_ns: (word(0), word(1)),
            changed_ns: (word(2), word(3) ^ i64::from(user)),
        }
    }

    /// Whether it is the file that it was, written to or not: removing or renaming it counts as a change of it too.
    pub(super) fn is_unwritten(&self, before: &Self) -> bool {
        Self { changed_ns: before.changed_ns, ..*self } == *before
    }
}

impl FileOwner {
    /// Whether this file may stand for one of `other`: who can write here can have no other names shown there than
    /// those of their own files.
    pub(super) fn may_stand_for(self, other: Self) -> bool {
        !self.is_shared && (self.user == 0 || self.user == other.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_systems_files_and_ones_own_stand_for_a_file() {
        let owner = |user, is_shared| FileOwner { user, is_shared };
        for (candidate, file, may) in [
            (owner(0, false), owner(1000, false), true),
            (owner(1000, false), owner(1000, false), true),
            (owner(1000, false), owner(0, false), false),
            (owner(1000, false), owner(1001, false), false),
            (owner(0, true), owner(1000, false), false),
        ] {
            assert_eq!(candidate.may_stand_for(file), may, "{candidate:?} for {file:?}");
        }
    }
}
