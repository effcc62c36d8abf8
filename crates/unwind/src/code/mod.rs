//! Code without unwind information: rules found by following the code itself (`x86_64`).
//!
//! musl's libc, start-up code, procedure linkage tables of some linkers and `_init` come without call frame
//! information. From a function's first instruction on, this follows what each instruction does to sp, and where it
//! saves the frame pointer and rbx; where that is lost, no rule is given. It is bounded to little code: it stands in
//! for missing information, and is no replacement for it. Of much code it is only asked whether it keeps frame pointers.

mod fibre;
mod flow;
mod frame;
mod frame_pointers;
mod probe;
mod returned_to;
mod stubs;
mod switch;

use std::collections::BTreeSet;
use std::ops::Range;

use object::ReadRef;
use object::elf;

use self::flow::Flow;
use self::frame_pointers::keeps_frame_pointers;
use crate::arch::Machine;
use crate::image::Image;
use crate::rule::Rule;
use crate::spans::{Pieces, Span};

/// Holes shorter than this are alignment padding, unless they are whole sections (`.fini` has 9 bytes).
const MIN_HOLE: u64 = 16;

/// Larger symbol tables are not worth their reading: images with so many functions describe them.
const MAX_SYMBOL_BYTES: u64 = 4 << 20;

/// Ranges with rules found from the code.
#[derive(Debug, Default)]
pub(crate) struct RecognizedCode {
    pub(crate) spans: Vec<Span>,
    /// Sorted by address; a span's rows are those inside it.
    rows: Vec<(u64, Rule)>,
}

impl RecognizedCode {
    /// Follows the code in the executable sections of `image` that `described` leaves out. Without section headers
    /// there is no telling code from data, and it is only followed from the entry point, functions that the dynamic
    /// linker knows, and its stubs on.
    ///
    /// If more than `max_bytes` are left out, none is followed: all of it is a guess where it keeps frame pointers.
    pub(crate) fn find<'d, R: ReadRef<'d>>(
        image: &Image<'d, R>,
        described: &Pieces,
        max_bytes: u64,
    ) -> Self {
        if image.machine != Machine::X86_64 {
            return Self::default();
        }
        let holes = holes(&code_sections(image), described);
        let bytes = holes.iter().map(|hole| hole.end - hole.start).sum::<u64>();
        let mut found = if bytes <= max_bytes {
            Self::follow(image, &holes)
        } else if keeps_frame_pointers(image, &holes) {
            Self::guess(&holes)
        } else {
            Self::default()
        };
        if let Some(start) = returned_to::start_context(image)
            && !found.covers(start - 1)
        {
            found.add_root(start - 1);
        }
        found
    }

    /// Gives all of `holes`, which are sorted and disjoint, one rule.
    fn guess(holes: &[Range<u64>]) -> Self {
        let span = |hole: &Range<u64>| {
            let len = u32::try_from(hole.end - hole.start).ok()?;
            Some(Span { start: hole.start, len, key: 0 })
        };
        let spans: Vec<_> = holes.iter().filter_map(span).collect();
        let rows = spans.iter().map(|span| (span.start, Rule::GUESS)).collect();
        Self { spans, rows }
    }

    /// Bytes of memory that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.spans) + size_of_val(&*self.rows)
    }

    fn covers(&self, svma: u64) -> bool {
        let after = self.spans.partition_point(|span| span.start <= svma);
        let last = after.checked_sub(1).map(|index| self.spans[index]);
        last.is_some_and(|span| svma - span.start < u64::from(span.len))
    }

    /// Says of one address, in no span, that the stack ends there.
    fn add_root(&mut self, svma: u64) {
        let at = self.rows.partition_point(|(row, _)| *row < svma);
        if self.rows.get(at).is_none_or(|(row, _)| *row != svma) {
            self.rows.insert(at, (svma, Rule::ROOT));
            self.spans.push(Span { start: svma, len: 1, key: 0 });
            self.spans.sort_by_key(|span| span.start);
        }
    }

    /// Follows the code in `holes`, which are sorted and disjoint.
    pub(crate) fn follow<'d, R: ReadRef<'d>>(image: &Image<'d, R>, holes: &[Range<u64>]) -> Self {
        let read = |svma, len| image.bytes_at(svma, len);
        let mut flow = Flow::new(&read);
        for hole in holes {
            if let Some(bytes) = image.bytes_at(hole.start, hole.end - hole.start) {
                flow.add_range(hole.start, bytes);
            }
        }
        flow.follow_entry(image.entry());
        flow.follow_functions(function_symbols(image, holes));
        flow.follow_functions(stubs::find(image, holes));
        if !image.sections().is_empty() {
            flow.follow_the_rest();
        }
        let mut found = Self::default();
        flow.for_each_run(|range, rule| {
            let Ok(len) = u32::try_from(range.end - range.start) else { return };
            match found.spans.last_mut() {
                // One that begins early is in its neighbour.
                Some(last) if last.start + u64::from(last.len) >= range.start => {
                    last.len = u32::try_from(range.end - last.start).unwrap_or(last.len);
                }
                _ => found.spans.push(Span { start: range.start, len, key: 0 }),
            }
            found.rows.push((range.start, rule));
        });
        found
    }

    /// The rows that begin in `range`, and before them the one in force at its start.
    pub(crate) fn rows(&self, range: &Range<u64>) -> &[(u64, Rule)] {
        let first = self.rows.partition_point(|(svma, _)| *svma <= range.start).saturating_sub(1);
        let end = self.rows.partition_point(|(svma, _)| *svma < range.end);
        self.rows.get(first..end).unwrap_or_default()
    }
}

/// The executable sections; without section headers what is mapped as code.
pub(crate) fn code_sections<'d, R: ReadRef<'d>>(image: &Image<'d, R>) -> Vec<Range<u64>> {
    if image.sections().is_empty() {
        return image.code.clone();
    }
    let executable = u64::from(elf::SHF_EXECINSTR | elf::SHF_ALLOC);
    let sections = image.sections().iter().filter(|s| s.flags & executable == executable);
    let mut ranges: Vec<Range<u64>> = sections
        .filter_map(|s| Some(s.address..s.address.checked_add(s.size)?))
        .filter(|range| {
            !range.is_empty() && image.is_code(range.start) && image.is_code(range.end - 1)
        })
        .collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let mut end = 0;
    ranges.retain(|range| {
        let disjoint = range.start >= end;
        end = end.max(range.end);
        disjoint
    });
    ranges
}

/// Whether nothing could be found in `hole`: it is filled with what is never run.
pub(crate) fn is_padding<'d, R: ReadRef<'d>>(image: &Image<'d, R>, hole: &Range<u64>) -> bool {
    const LONGEST: u64 = 4096;
    let len = hole.end - hole.start;
    let bytes = if len <= LONGEST { image.bytes_at(hole.start, len) } else { None };
    bytes.is_some_and(|bytes| flow::skip_padding(bytes, 0).is_none())
}

/// Whether the image has a function whose stack ends where unwind information does not say so.
pub(crate) fn has_hidden_root<'d, R: ReadRef<'d>>(image: &Image<'d, R>) -> bool {
    image.machine == Machine::X86_64 && returned_to::start_context(image).is_some()
}

/// What `described` leaves out of `sections`.
pub(crate) fn holes(sections: &[Range<u64>], described: &Pieces) -> Vec<Range<u64>> {
    let mut holes = Vec::new();
    for section in sections {
        let mut add = |hole: Range<u64>| {
            if hole == *section || hole.end.saturating_sub(hole.start) >= MIN_HOLE {
                holes.push(hole);
            }
        };
        let pieces = described.as_slice();
        let first = pieces.partition_point(|piece| piece.end() <= section.start);
        let mut at = section.start;
        for piece in pieces[first..].iter().take_while(|piece| piece.start < section.end) {
            add(at..piece.start);
            at = at.max(piece.end());
        }
        add(at..section.end);
    }
    holes
}

/// The addresses of function symbols in `holes`.
fn function_symbols<'d, R: ReadRef<'d>>(
    image: &Image<'d, R>,
    holes: &[Range<u64>],
) -> BTreeSet<u64> {
    const SYMBOL_LEN: usize = 24;
    let mut addresses = BTreeSet::new();
    for table in [".symtab", ".dynsym"] {
        if image.section(table).is_none_or(|section| section.size > MAX_SYMBOL_BYTES) {
            continue;
        }
        let Ok(Some(data)) = image.section_data(table) else { continue };
        for symbol in data.bytes.chunks_exact(SYMBOL_LEN) {
            let is_function = symbol[4] & 0xf == elf::STT_FUNC;
            let value = symbol[8..16].try_into().map_or(0, u64::from_le_bytes);
            let hole = holes.partition_point(|hole| hole.end <= value);
            if is_function && holes.get(hole).is_some_and(|hole| hole.contains(&value)) {
                addresses.insert(value);
            }
        }
    }
    addresses
}

#[cfg(test)]
mod flow_tests;
#[cfg(test)]
mod headerless_tests;
#[cfg(test)]
mod tests;
