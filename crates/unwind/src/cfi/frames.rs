//! `.eh_frame` by its search table (`.eh_frame_hdr`): the frame descriptions of a range of addresses, without reading
//! those of the others. Where there is no table, or not of the one form that linkers write, all are listed once.
//!
//! Layout: LSB 5.0, "Eh Frame" and "Eh Frame Header".

use std::ops::Range;
use std::sync::Arc;

use gimli::{BaseAddresses, EhFrame, LittleEndian};
use object::{ReadRef, elf};

use super::Bytes;
use super::section::CfiSection;
use crate::arch::Registers;
use crate::error::Error;
use crate::image::{Image, Place, Sparse};
use crate::spans::Span;
use crate::table::Stats;

/// Version, three encodings, the pointer to `.eh_frame` and the number of entries, each of four bytes.
const HEADER: usize = 12;
/// `DW_EH_PE_pcrel | DW_EH_PE_sdata4`, `DW_EH_PE_udata4`, `DW_EH_PE_datarel | DW_EH_PE_sdata4`.
const ENCODINGS: [u8; 3] = [0x1b, 0x03, 0x3b];
const ENTRY: usize = 8;
/// So many entries are read at once, about.
const NEAR: usize = 1 << 10;
/// More entries cannot begin in one page, as each covers a byte at least.
const MAX_ENTRIES_OF_PAGE: usize = (1 << 16) + 2;

/// The addresses of a whole image.
pub(crate) const EVERYTHING: Range<u64> = 0..u64::MAX;
/// Longer descriptions are not read for one page: real ones have some kilobytes.
const MAX_DESCRIPTION: usize = 4 << 20;

/// Those of a page have some ten kilobytes.
const MAX_AHEAD: usize = 64 << 10;

/// Where a frame description begins, and its offset in the section.
pub(crate) type Entry = (u64, u32);

/// All entries of a section without a search table, by address.
pub(crate) type Listed = Arc<[Entry]>;

#[derive(Debug)]
enum Index<'d> {
    Table { table: Sparse<'d>, base: u64 },
    Listed(Listed),
}

/// `.eh_frame`.
#[derive(Debug)]
pub(crate) struct EhFrames<'d> {
    section: Sparse<'d>,
    bases: BaseAddresses,
    index: Index<'d>,
    registers: &'static Registers,
}

impl<'d> EhFrames<'d> {
    /// `listed` are the entries as they were listed when the image was opened before, if they had to be.
    pub(crate) fn open<R: ReadRef<'d>>(
        image: &Image<'d, R>,
        listed: Option<&Listed>,
    ) -> Result<Option<Self>, Error> {
        let header = image.segment_address(elf::PT_GNU_EH_FRAME);
        let Some(section) = find(image, header)? else { return Ok(None) };
        let bases = bases(image, header).set_eh_frame(section.place.address);
        let registers = image.machine.registers();
        let table = header.and_then(|header| table(image, header, section.place.address));
        let index = match (table, header, listed) {
            (_, _, Some(listed)) => Index::Listed(Arc::clone(listed)),
            (Some(table), Some(base), None) => Index::Table { table, base },
            _ => Index::Listed(Listed::default()),
        };
        let mut frames = Self { section, bases, index, registers };
        if listed.is_none() && matches!(frames.index, Index::Listed(_)) {
            frames.list(image);
        }
        Ok(Some(frames))
    }

    /// The entries, if they had to be listed.
    pub(crate) fn listed(&self) -> Option<Listed> {
        match &self.index {
            Index::Table { .. } => None,
            Index::Listed(listed) => Some(Arc::clone(listed)),
        }
    }

    fn list<R: ReadRef<'d>>(&mut self, image: &Image<'d, R>) {
        if self.section.read_all(image).is_none() {
            return;
        }
        let mut entries: Vec<Entry> =
            self.cfi().list().spans.iter().map(|span| (span.start, span.key)).collect();
        entries.sort_by_key(|entry| entry.0);
        self.index = Index::Listed(entries.into());
    }

    /// Reads the descriptions of `range`, and of both its neighbours. Returns their entries, in ascending order, and
    /// where the one after them begins.
    pub(crate) fn read<R: ReadRef<'d>>(
        &mut self,
        image: &Image<'d, R>,
        range: &Range<u64>,
    ) -> Vec<Entry> {
        if *range == EVERYTHING {
            return self.read_all(image).unwrap_or_default();
        }
        let after = self.position(image, range.start.saturating_add(1));
        let mut entries = Vec::new();
        for position in after.saturating_sub(1).. {
            let Some(entry) = self.entry(image, position) else { break };
            push_ascending(&mut entries, entry);
            if entry.0 >= range.end
                || entries.len() >= MAX_ENTRIES_OF_PAGE
                || position.saturating_sub(after) >= MAX_ENTRIES_OF_PAGE
            {
                break;
            }
        }
        self.read_ahead(image, &entries);
        for (_, offset) in &entries {
            // What cannot be read stays zero, which is no description.
            let _: Option<()> = self.read_description(image, *offset as usize);
        }
        entries
    }

    /// Linkers write the descriptions in the order of the code: then all of a page's are read at once.
    fn read_ahead<R: ReadRef<'d>>(&mut self, image: &Image<'d, R>, entries: &[Entry]) {
        let offsets = || entries.iter().map(|(_, offset)| *offset as usize);
        if let (Some(first), Some(last)) = (offsets().min(), offsets().max())
            && last - first <= MAX_AHEAD
        {
            let _: Option<&[u8]> = self.section.read(image, first..last);
        }
    }

    fn read_all<R: ReadRef<'d>>(&mut self, image: &Image<'d, R>) -> Option<Vec<Entry>> {
        self.section.read_all(image)?;
        let mut entries = Vec::with_capacity(self.count());
        match &mut self.index {
            Index::Listed(listed) => {
                listed.iter().for_each(|entry| push_ascending(&mut entries, *entry));
            }
            Index::Table { table, base } => {
                let raw = table.read(image, 0..table.place.len)?;
                raw.chunks_exact(ENTRY)
                    .filter_map(|raw| entry_of(raw, *base, self.section.place.address))
                    .for_each(|entry| push_ascending(&mut entries, entry));
            }
        }
        Some(entries)
    }

    /// What is described at all: ranges without what describes them, in ascending order. Neighbours are one.
    pub(crate) fn covered<R: ReadRef<'d>>(&mut self, image: &Image<'d, R>) -> Vec<Span> {
        let mut covered: Vec<Span> = Vec::new();
        let entries = self.read(image, &EVERYTHING);
        for_each_span(&mut self.cfi(), &entries, |span| match covered.last_mut() {
            Some(last) if last.end() == span.start && last.len.checked_add(span.len).is_some() => {
                last.len += span.len;
            }
            _ => covered.push(Span { key: 0, ..span }),
        });
        covered
    }

    /// What was read, to be evaluated.
    pub(crate) fn cfi(&self) -> CfiSection<'_, EhFrame<Bytes<'_>>> {
        let bytes = EhFrame::new(self.section.bytes(), LittleEndian);
        CfiSection::new(bytes, self.bases.clone(), self.registers, self.section.read_bytes())
    }

    /// How many entries begin below `svma`.
    fn position<R: ReadRef<'d>>(&mut self, image: &Image<'d, R>, svma: u64) -> usize {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            // What is met on the way is of no use to what comes then, but for the last looks.
            let entry = if high - low > NEAR {
                self.glance(image, middle)
            } else {
                self.entry(image, middle)
            };
            if entry.is_some_and(|entry| entry.0 < svma) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn count(&self) -> usize {
        match &self.index {
            Index::Table { table, .. } => table.place.len / ENTRY,
            Index::Listed(listed) => listed.len(),
        }
    }

    fn entry<R: ReadRef<'d>>(&mut self, image: &Image<'d, R>, position: usize) -> Option<Entry> {
        match &mut self.index {
            Index::Listed(listed) => listed.get(position).copied(),
            Index::Table { table, base } => {
                let at = position.checked_mul(ENTRY)?;
                let raw = table.read(image, at..at.checked_add(ENTRY)?)?;
                entry_of(raw, *base, self.section.place.address)
            }
        }
    }

    /// [`Self::entry`], without keeping what is read for it.
    fn glance<R: ReadRef<'d>>(&self, image: &Image<'d, R>, position: usize) -> Option<Entry> {
        match &self.index {
            Index::Listed(listed) => listed.get(position).copied(),
            Index::Table { table, base } => {
                let at = position.checked_mul(ENTRY)?;
                let raw = table.glance(image, at..at.checked_add(ENTRY)?)?;
                entry_of(raw, *base, self.section.place.address)
            }
        }
    }

    /// Reads a frame description and what it has in common with others.
    fn read_description<R: ReadRef<'d>>(
        &mut self,
        image: &Image<'d, R>,
        offset: usize,
    ) -> Option<()> {
        let (body, _) = self.read_entry(image, offset)?;
        let raw = self.section.read(image, body..body.checked_add(4)?)?;
        let distance = i32_at(raw, 0)? as u32 as usize;
        self.read_entry(image, body.checked_sub(distance)?)?;
        Some(())
    }

    /// Reads the entry at `offset`. Returns where it begins after its length, and where it ends.
    fn read_entry<R: ReadRef<'d>>(
        &mut self,
        image: &Image<'d, R>,
        offset: usize,
    ) -> Option<(usize, usize)> {
        let raw = self.section.read(image, offset..offset.checked_add(4)?)?;
        let mut body = offset + 4;
        let mut len = u64::from(i32_at(raw, 0)? as u32);
        if len == 0xffff_ffff {
            let raw = self.section.read(image, body..body.checked_add(8)?)?;
            len = u64::from_le_bytes(raw.try_into().ok()?);
            body += 8;
        }
        let end = body.checked_add(usize::try_from(len).ok()?)?;
        if end - offset > MAX_DESCRIPTION {
            return None;
        }
        self.section.read(image, offset..end)?;
        Some((body, end))
    }
}

/// The ranges of entries.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) spans: Vec<Span>,
    malformed: u64,
    overlaps: u64,
}

impl Found {
    pub(crate) fn count(&self, stats: &mut Stats) {
        stats.fdes += self.spans.len() as u64;
        stats.malformed_fdes += self.malformed;
        stats.overlaps += self.overlaps;
    }
}

/// The ranges of entries that were read.
pub(crate) fn spans_of<'s>(
    cfi: &mut CfiSection<'s, EhFrame<Bytes<'s>>>,
    entries: &[Entry],
) -> Found {
    let mut spans = Vec::with_capacity(entries.len());
    let found = for_each_span(cfi, entries, |span| spans.push(span));
    Found { spans, ..found }
}

/// As the run-time libraries find them, each range reaches to the next one at most.
fn for_each_span<'s>(
    cfi: &mut CfiSection<'s, EhFrame<Bytes<'s>>>,
    entries: &[Entry],
    mut sink: impl FnMut(Span),
) -> Found {
    let mut found = Found::default();
    for (at, (start, offset)) in entries.iter().enumerate() {
        let Some(mut span) = cfi.span_at(*offset).filter(|span| span.start == *start) else {
            found.malformed += 1;
            continue;
        };
        let most = entries.get(at + 1).and_then(|next| u32::try_from(next.0 - start).ok());
        if let Some(most) = most.filter(|most| *most < span.len) {
            found.overlaps += 1;
            span.len = most;
        }
        if span.len > 0 {
            sink(span);
        }
    }
    found
}

fn push_ascending(entries: &mut Vec<Entry>, entry: Entry) {
    if entries.last().is_none_or(|last| last.0 < entry.0) {
        entries.push(entry);
    }
}

/// An entry of the search table, which counts from `base`.
fn entry_of(raw: &[u8], base: u64, eh_frame: u64) -> Option<Entry> {
    let [start, description] = [i32_at(raw, 0)?, i32_at(raw, 4)?]
        .map(|relative| base.wrapping_add_signed(relative.into()));
    // One that is outside the section describes nothing; the search goes on by its address.
    let offset = description.wrapping_sub(eh_frame);
    Some((start, u32::try_from(offset).unwrap_or(u32::MAX)))
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn bases<'d, R: ReadRef<'d>>(image: &Image<'d, R>, header: Option<u64>) -> BaseAddresses {
    let mut bases = BaseAddresses::default();
    if let Some(header) = header {
        bases = bases.set_eh_frame_hdr(header);
    }
    if let Some(text) = image.section(".text") {
        bases = bases.set_text(text.address);
    }
    if let Some(got) = image.section(".got") {
        bases = bases.set_got(got.address);
    }
    bases
}

/// `.eh_frame` by its section, or where the section headers are stripped by the segment of its search table.
fn find<'d, R: ReadRef<'d>>(
    image: &Image<'d, R>,
    header: Option<u64>,
) -> Result<Option<Sparse<'d>>, Error> {
    if let Some(place) = image.section_place(".eh_frame")? {
        return sparse(place);
    }
    if let Some(data) = image.section_data(".eh_frame")? {
        return Ok(Some(Sparse::whole(data.address, data.bytes)));
    }
    let from_header = header.and_then(|header| {
        let bytes = image.bytes_at(header, HEADER as u64)?;
        let parsed = gimli::EhFrameHdr::new(bytes, LittleEndian)
            .parse(&BaseAddresses::default().set_eh_frame_hdr(header), 8)
            .ok()?;
        let gimli::Pointer::Direct(address) = parsed.eh_frame_ptr() else { return None };
        image.place_from(address)
    });
    from_header.map_or(Ok(None), sparse)
}

fn sparse<'d>(place: Place) -> Result<Option<Sparse<'d>>, Error> {
    if place.len == 0 {
        return Ok(None);
    }
    Sparse::new(place).map(Some).ok_or(Error::UnreadableSection(".eh_frame"))
}

/// The search table at `header`, if it is of the form that linkers write and of the section at `eh_frame`.
fn table<'d, R: ReadRef<'d>>(
    image: &Image<'d, R>,
    header: u64,
    eh_frame: u64,
) -> Option<Sparse<'d>> {
    let raw = image.bytes_at(header, HEADER as u64)?;
    let pointer = header.wrapping_add(4).wrapping_add_signed(i32_at(raw, 4)?.into());
    let count = i32_at(raw, 8)? as u32 as usize;
    if raw[0] != 1 || raw[1..4] != ENCODINGS || pointer != eh_frame || count == 0 {
        return None;
    }
    let mut place = image.place_from(header.checked_add(HEADER as u64)?)?;
    let len = count.checked_mul(ENTRY)?;
    if len > place.len {
        return None;
    }
    place.len = len;
    Sparse::new(place)
}
