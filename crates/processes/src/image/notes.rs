//! Build ids from ELF notes (gABI "Note Section"; `NT_GNU_BUILD_ID` of the GNU linkers; the note
//! that Go's linker writes under the name `Go`).

use std::fmt::{self, Write};

use serde::{Serialize, Serializer};

const NT_GNU_BUILD_ID: u32 = 3;
const NT_GO_BUILD_ID: u32 = 4;
const SHORTEST_BUILD_ID: usize = 4;
const LONGEST_BUILD_ID: usize = 64;
const LONGEST_GO_BUILD_ID: usize = 256;

/// A GNU build id: 20 bytes in practice, 4 to 64 here.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildId(Box<[u8]>);

impl BuildId {
    /// `None` when the length is outside 4 to 64 bytes, or all bytes are zero.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let is_plausible = (SHORTEST_BUILD_ID..=LONGEST_BUILD_ID).contains(&bytes.len())
            && bytes.iter().any(|&byte| byte != 0);
        is_plausible.then(|| Self(bytes.into()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for BuildId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(self.0.len() * 2);
        write!(text, "{self}").map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

/// The ids found in the notes of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NoteIds {
    pub(crate) gnu: Option<BuildId>,
    pub(crate) go: Option<String>,
}

impl NoteIds {
    /// Adds what the notes in `bytes` say; the first of a kind counts. Stops at the first note that
    /// does not fit.
    pub(crate) fn collect(&mut self, mut bytes: &[u8], alignment: usize) {
        let alignment = if alignment == 8 { 8 } else { 4 };
        while let Some((note, rest)) = Note::split_first(bytes, alignment) {
            match (note.name, note.kind) {
                (b"GNU\0", NT_GNU_BUILD_ID) if self.gnu.is_none() => {
                    self.gnu = BuildId::new(note.description);
                }
                (b"Go\0\0", NT_GO_BUILD_ID) if self.go.is_none() => {
                    self.go = go_build_id(note.description);
                }
                _ => {}
            }
            bytes = rest;
        }
    }
}

fn go_build_id(description: &[u8]) -> Option<String> {
    let is_plausible = (1..=LONGEST_GO_BUILD_ID).contains(&description.len())
        && description.iter().all(u8::is_ascii_graphic);
    is_plausible.then(|| String::from_utf8_lossy(description).into_owned())
}

struct Note<'a> {
    name: &'a [u8],
    kind: u32,
    description: &'a [u8],
}

impl<'a> Note<'a> {
    fn split_first(bytes: &'a [u8], alignment: usize) -> Option<(Self, &'a [u8])> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let (name_size, size, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let name = bytes.get(12..12_usize.checked_add(name_size)?)?;
        let begin = (12 + name_size).checked_next_multiple_of(alignment)?;
        let end = begin.checked_add(size)?;
        let description = bytes.get(begin..end)?;
        let rest = end.checked_next_multiple_of(alignment).and_then(|next| bytes.get(next..));
        Some((Self { name, kind, description }, rest.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(name: &[u8], kind: u32, description: &[u8], alignment: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend((description.len() as u32).to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        for part in [name, description] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(alignment), 0);
        }
        bytes
    }

    fn collect(bytes: &[u8], alignment: usize) -> NoteIds {
        let mut ids = NoteIds::default();
        ids.collect(bytes, alignment);
        ids
    }

    #[test]
    fn ids_are_found_behind_other_notes() {
        for alignment in [4, 8] {
            let bytes = [
                note(b"GNU\0", 1, &[0; 16], alignment),
                note(b"stapsdt\0", 3, b"not a build id", alignment),
                note(b"GNU\0", 3, &[0xab; 20], alignment),
                note(b"GNU\0", 3, &[0xcd; 20], alignment),
                note(b"Go\0\0", 4, b"abc/def-1_2", alignment),
            ]
            .concat();
            let ids = collect(&bytes, alignment);
            assert_eq!(ids.gnu.unwrap().to_string(), "ab".repeat(20));
            assert_eq!(ids.go.unwrap(), "abc/def-1_2");
        }
    }

    #[test]
    fn ids_that_identify_nothing_are_refused() {
        for description in [&[][..], &[1, 2, 3], &[0; 20], &[7; 65]] {
            assert_eq!(collect(&note(b"GNU\0", 3, description, 4), 4).gnu, None);
        }
        for description in [&b""[..], b"with space", b"\x1b[31m", &[b'a'; 257]] {
            assert_eq!(collect(&note(b"Go\0\0", 4, description, 4), 4).go, None);
        }
    }

    proptest! {
        #[test]
        fn no_note_makes_the_parser_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            alignment in any::<usize>(),
        ) {
            collect(&bytes, alignment);
        }

        #[test]
        fn a_cut_note_is_no_note(length in 0_usize..35) {
            prop_assert_eq!(collect(&note(b"GNU\0", 3, &[9; 20], 4)[..length], 4), NoteIds::default());
        }
    }
}
