//! Text that was moved to memory without its file: to huge pages, most often.
//!
//! Programs copy their own code to anonymous memory, a memfd or a file of hugetlbfs, and put the copy where the code was: BOLT's
//! hugify, iodlr in Node.js and others, `ClickHouse`, HHVM. `maps` then shows code without a file. It is recognised by two things
//! together:
//!
//! - *place*: next to it are other mappings of one file, and by the file's program headers its code belongs where the memory is;
//! - *content*: bytes spread over the memory are the file's. A few may differ: code is patched in places.
//!
//! Code that a runtime made is not taken for a file's: it fails at both. What is compared is bounded, for a process and for a
//! mapping. Here nothing is said about what the code is called.

use super::headers::{ByteSource, ElfHeaders};
use super::open::{OpenImage, open};
use super::segments::{LoadSegment, LoadSegments};
use crate::maps::{ExecutableMappings, MapLimits, Mapping, MappingKind, Neighbours};
use crate::mounts::FileSystem;
use crate::{Error, ProcessDir};

/// Mappings without a file that are looked at: a runtime has thousands of them, moved text is in one or two.
const MOST_SUSPECTS: usize = 256;
/// Mappings whose bytes are compared.
const MOST_COMPARED: usize = 32;
/// Files that are opened.
const MOST_FILES: usize = 32;
/// A mapping is compared in this many places, of this many bytes each: a small one as a whole.
const PLACES: u64 = 32;
const PLACE_BYTES: u64 = 4096;
/// What is equal or differs as one.
const LINE_BYTES: usize = 64;
/// Of sixteen lines, fifteen must be equal, and there must be some that are more than padding.
const EQUAL_OF_SIXTEEN: u64 = 15;
const FEWEST_LINES: u64 = 8;
const PAGE: u64 = 4096;

/// Memory that holds a file's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedText {
    /// The mapping without the file, as `maps` shows it.
    pub found: Mapping,
    /// What it stands for: the addresses of `found` that are the file's code, with the file's name, device, inode and offset.
    pub stands_for: Mapping,
    /// Another mapping of the file: [`open`] reaches the file through it.
    pub neighbour: Mapping,
}

impl ProcessDir {
    /// The text among `executable` that was moved. Reads nothing where all code has its file.
    pub fn moved_text(&self, executable: &ExecutableMappings) -> Result<Vec<MovedText>, Error> {
        let suspects = executable.mappings.iter().filter(|mapping| may_be_moved(self, mapping));
        let suspects: Vec<Mapping> = suspects.take(MOST_SUSPECTS).cloned().collect();
        if suspects.is_empty() {
            return Ok(Vec::new());
        }
        let neighbours = self.neighbours(&suspects, MapLimits::default())?;
        let mut search = Search { process: self, files: Vec::new(), compared: 0 };
        let found = suspects.iter().zip(&neighbours);
        Ok(found.filter_map(|(mapping, around)| search.recognise(mapping, around)).collect())
    }
}

impl ExecutableMappings {
    /// Shows moved text as what it stands for; the rest of its memory, if any, as before.
    pub fn put_back(&mut self, moved: &[MovedText]) {
        for text in moved {
            let Ok(at) =
                self.mappings.binary_search_by_key(&text.found.start, |mapping| mapping.start)
            else {
                continue;
            };
            let found = &self.mappings[at];
            let before = Mapping { end: text.stands_for.start, ..found.clone() };
            let shift = text.stands_for.end.saturating_sub(found.start);
            let behind = Mapping {
                start: text.stands_for.end,
                file_offset: found.file_offset.wrapping_add(shift),
                ..found.clone()
            };
            let parts = [before, text.stands_for.clone(), behind];
            let parts = parts.into_iter().filter(|part| part.start < part.end);
            self.mappings.splice(at..=at, parts);
        }
    }
}

fn may_be_moved(process: &ProcessDir, mapping: &Mapping) -> bool {
    match mapping.kind {
        MappingKind::Anonymous | MappingKind::Memfd => true,
        // reading the memory of a file asks whoever serves it
        MappingKind::DeletedFile => process.file_system_of(mapping) == FileSystem::Kernel,
        _ => false,
    }
}

struct Search<'a> {
    process: &'a ProcessDir,
    /// By their neighbours; `None` if a file could not be read.
    files: Vec<(Mapping, Option<KnownFile>)>,
    compared: usize,
}

struct KnownFile {
    image: OpenImage,
    segments: LoadSegments,
}

impl Search<'_> {
    fn recognise(&mut self, mapping: &Mapping, around: &Neighbours) -> Option<MovedText> {
        let neighbours = [&around.before, &around.after].into_iter().flatten();
        for neighbour in neighbours.filter(|neighbour| !is_same_file(neighbour, mapping)) {
            let process = self.process;
            let has_room = self.compared < MOST_COMPARED;
            let Some(file) = self.file_of(neighbour) else { continue };
            let Some(stands_for) = place(&file.segments, neighbour, mapping) else { continue };
            if !has_room {
                return None;
            }
            let is_equal = has_content_of(process, &stands_for, &file.image);
            self.compared += 1;
            if is_equal {
                let (found, neighbour) = (mapping.clone(), neighbour.clone());
                return Some(MovedText { found, stands_for, neighbour });
            }
        }
        None
    }

    fn file_of(&mut self, neighbour: &Mapping) -> Option<&KnownFile> {
        let known = self.files.iter().position(|(other, _)| is_same_file(other, neighbour));
        let at = match known {
            Some(at) => at,
            None if self.files.len() == MOST_FILES => return None,
            None => {
                self.files.push((neighbour.clone(), KnownFile::open(self.process, neighbour)));
                self.files.len() - 1
            }
        };
        self.files[at].1.as_ref()
    }
}

impl KnownFile {
    fn open(process: &ProcessDir, neighbour: &Mapping) -> Option<Self> {
        let image = open(process, neighbour).ok()?;
        let segments = ElfHeaders::read(&image.file).ok()?.segments;
        Some(Self { image, segments })
    }
}

fn is_same_file(one: &Mapping, other: &Mapping) -> bool {
    one.inode != 0 && (one.device, one.inode) == (other.device, other.inode)
}

/// The part of `mapping` where code of the file belongs that `neighbour` is a mapping of.
fn place(segments: &LoadSegments, neighbour: &Mapping, mapping: &Mapping) -> Option<Mapping> {
    let bias = segments.svma_bias_of_any(neighbour)?;
    let mut executable = segments.0.iter().filter(|segment| segment.is_executable);
    executable.find_map(|segment| part_of(segment, bias, neighbour, mapping))
}

fn part_of(
    segment: &LoadSegment,
    bias: u64,
    neighbour: &Mapping,
    mapping: &Mapping,
) -> Option<Mapping> {
    // the kernel maps whole pages: stated address and file offset agree in a page's lower bits
    let first = bias.wrapping_add(segment.svma);
    let begin = first & !(PAGE - 1);
    let end = first.checked_add(segment.file_size)?.checked_next_multiple_of(PAGE)?;
    let (start, end) = (mapping.start.max(begin), mapping.end.min(end));
    if start >= end {
        return None;
    }
    let file_offset = segment.file_offset.checked_sub(first - begin)?.checked_add(start - begin)?;
    Some(Mapping { start, end, permissions: mapping.permissions, file_offset, ..neighbour.clone() })
}

fn has_content_of(process: &ProcessDir, stands_for: &Mapping, image: &OpenImage) -> bool {
    let length = stands_for.end - stands_for.start;
    let pages = length / PAGE;
    let places = pages.clamp(1, PLACES);
    let (mut memory, mut stored) = ([0; PLACE_BYTES as usize], [0; PLACE_BYTES as usize]);
    let mut equality = Equality::default();
    for place in 0..places {
        // page numbers: places and pages are small enough for their product
        let within = place * pages / places * PAGE;
        let mapped = process.read_memory(stands_for.start + within, &mut memory).unwrap_or(0);
        let offset = stands_for.file_offset.saturating_add(within);
        let read = ByteSource::read_at(&image.file, offset, &mut stored).unwrap_or(0);
        // what cannot be read of memory differs; behind the end of the file there is nothing to compare
        memory[mapped..].fill(0);
        equality.add(&memory[..read], &stored[..read]);
    }
    equality.is_enough()
}

/// Lines that were compared; such as are one byte again and again, padding, prove nothing.
#[derive(Debug, Default)]
struct Equality {
    equal: u64,
    different: u64,
}

impl Equality {
    fn add(&mut self, memory: &[u8], stored: &[u8]) {
        for (memory, stored) in memory.chunks(LINE_BYTES).zip(stored.chunks(LINE_BYTES)) {
            let is_padding = stored.iter().all(|byte| *byte == stored[0]);
            if memory != stored {
                self.different += 1;
            } else if !is_padding {
                self.equal += 1;
            }
        }
    }

    fn is_enough(&self) -> bool {
        let all = self.equal + self.different;
        self.equal >= FEWEST_LINES && self.equal * 16 >= all * EQUAL_OF_SIXTEEN
    }
}

#[cfg(test)]
#[path = "moved_tests.rs"]
mod tests;
