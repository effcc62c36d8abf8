//! ELF image → compact table: which sources describe which addresses, and their rows in ascending order.

use std::borrow::Cow;
use std::ops::Range;

use gimli::{BaseAddresses, DebugFrame, EhFrame, LittleEndian, UnwindSection};
use object::ReadRef;

use crate::arch::Machine;
use crate::cfi::{Bytes, CfiSection};
use crate::code::RecognizedCode;
use crate::error::Error;
use crate::go::{self, GoCode};
use crate::image::Image;
use crate::intern::RuleSet;
use crate::pages::PageBuilder;
use crate::spans::{Piece, Pieces, Source};
use crate::table::{CompactTable, Stats};

/// A hole shorter than this is padding between functions and is not marked (16-byte alignment leaves at most 15).
const MIN_GAP: u64 = 16;

/// Limits on what one image may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The largest section that is read, in bytes after decompression.
    pub max_section_bytes: u64,
    /// The most rows a table may have.
    pub max_rows: usize,
    /// The most bytes of code without unwind information that are followed instruction by instruction. If there are
    /// more, none are.
    pub max_followed_bytes: u64,
}

impl Default for Options {
    /// 128 MiB a section, 16 Mi rows (64 MiB): several times what the largest executables of today need. 2 MiB of code
    /// without unwind information: a static musl libc has 0.4.
    fn default() -> Self {
        Self { max_section_bytes: 128 << 20, max_rows: 16 << 20, max_followed_bytes: 2 << 20 }
    }
}

/// Builds the table of an image. `data` is its bytes, or a [`ReadCache`](object::ReadCache) over its file, of which
/// then only the headers and the sections with unwind information are read.
///
/// Costs time and memory in proportion to those sections.
pub fn build<'d, R: ReadRef<'d>>(data: R, options: &Options) -> Result<CompactTable, Error> {
    let image = Image::open(data, options.max_section_bytes)?;
    let eh_frame = eh_frame(&image)?;
    let mut stats = Stats::default();
    let debug_frame = optional(image.section_data(".debug_frame"), &mut stats);
    let go_table = optional(go::table_bytes(&image), &mut stats);
    let go = go_table.as_ref().and_then(|table| GoCode::open(&image, table));
    let registers = image.machine.registers();
    let mut eh_frame = eh_frame.as_ref().map(|(data, bases)| {
        CfiSection::new(EhFrame::new(data, LittleEndian), bases.clone(), registers)
    });
    let mut debug_frame = debug_frame.as_ref().map(|data| {
        CfiSection::new(
            DebugFrame::new(&data.bytes, LittleEndian),
            BaseAddresses::default(),
            registers,
        )
    });

    let mut pieces = Pieces::default();
    if let Some(go) = &go {
        let spans = go.list();
        stats.go_functions = spans.len() as u64;
        pieces.add_layer(Source::Go, spans, &image.code);
    }
    if let Some(section) = &mut eh_frame {
        add_cfi(section, Source::EhFrame, &image.code, &mut pieces, &mut stats);
    }
    if let Some(section) = &mut debug_frame {
        add_cfi(section, Source::DebugFrame, &image.code, &mut pieces, &mut stats);
    }
    let code = RecognizedCode::find(&image, &pieces, options.max_followed_bytes);
    stats.recognized_ranges = code.spans.len() as u64;
    pieces.add_layer(Source::Code, code.spans.clone(), &image.code);
    stats.overlaps = pieces.overlaps;

    let mut rows = RowWriter::new(image.machine, options.max_rows, stats);
    for piece in pieces.as_slice() {
        rows.begin(piece)?;
        match piece.source {
            Source::EhFrame => rows.write_cfi(piece, eh_frame.as_mut())?,
            Source::DebugFrame => rows.write_cfi(piece, debug_frame.as_mut())?,
            Source::Go => rows.write_go(piece, &image, go.as_ref())?,
            Source::Code => rows.write_code(piece, &code)?,
        }
    }
    let mut table = rows.finish()?;
    table.go = go.and_then(|go| go.info(&image));
    Ok(table)
}

/// Version, three encodings, and the pointer to `.eh_frame` in its widest form; a table follows in every real image.
const EH_FRAME_HDR_LEN: u64 = 12;

type EhFrameData<'d> = (Cow<'d, [u8]>, BaseAddresses);

/// What may be missing: a section that cannot be read is counted.
fn optional<T>(read: Result<Option<T>, Error>, stats: &mut Stats) -> Option<T> {
    read.unwrap_or_else(|_| {
        stats.unread_sections += 1;
        None
    })
}

/// `.eh_frame` by its section, or where the section headers are stripped by the segment of its search table.
fn eh_frame<'d, R: ReadRef<'d>>(image: &Image<'d, R>) -> Result<Option<EhFrameData<'d>>, Error> {
    let header = image.segment_address(object::elf::PT_GNU_EH_FRAME);
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
    if let Some(data) = image.section_data(".eh_frame")? {
        return Ok(Some((data.bytes, bases.set_eh_frame(data.address))));
    }
    let from_header = header.and_then(|header| {
        let bytes = image.bytes_at(header, EH_FRAME_HDR_LEN)?;
        let parsed = gimli::EhFrameHdr::new(bytes, LittleEndian).parse(&bases, 8).ok()?;
        let gimli::Pointer::Direct(address) = parsed.eh_frame_ptr() else { return None };
        Some((address, image.bytes_from(address)?))
    });
    Ok(from_header.map(|(address, data)| (Cow::Borrowed(data), bases.set_eh_frame(address))))
}

fn add_cfi<'d, S>(
    section: &mut CfiSection<'d, S>,
    source: Source,
    code: &[Range<u64>],
    pieces: &mut Pieces,
    stats: &mut Stats,
) where
    S: UnwindSection<Bytes<'d>>,
{
    let listing = section.list();
    stats.fdes += listing.spans.len() as u64;
    stats.malformed_fdes += listing.malformed;
    pieces.add_layer(source, listing.spans, code);
}

/// Turns pieces, in ascending order, into rows.
#[derive(Debug)]
struct RowWriter {
    machine: Machine,
    pages: PageBuilder,
    rules: RuleSet,
    stats: Stats,
    covered_to: Option<u64>,
}

impl RowWriter {
    fn new(machine: Machine, max_rows: usize, stats: Stats) -> Self {
        let (pages, rules) = (PageBuilder::new(max_rows), RuleSet::new());
        Self { machine, pages, rules, stats, covered_to: None }
    }

    /// Marks the hole before `piece`, if it is one.
    fn begin(&mut self, piece: &Piece) -> Result<(), Error> {
        if let Some(end) = self.covered_to
            && piece.start - end >= MIN_GAP
        {
            self.stats.gaps += 1;
            self.pages.set(end, RuleSet::NONE)?;
        }
        self.covered_to = Some(piece.end());
        Ok(())
    }

    fn write_cfi<'d, S>(
        &mut self,
        piece: &Piece,
        section: Option<&mut CfiSection<'d, S>>,
    ) -> Result<(), Error>
    where
        S: UnwindSection<Bytes<'d>>,
    {
        let Some(section) = section else { return Ok(()) };
        let end = piece.end();
        section.evaluate(piece.key, end, |svma, state, expressions, is_signal| {
            self.stats.raw_rows += 1;
            let id = match state {
                None => {
                    self.stats.malformed_fdes += 1;
                    RuleSet::UNSUPPORTED
                }
                Some(state) => {
                    let translation = self.machine.translate(state, expressions, is_signal);
                    self.stats.lost_register_rows += u64::from(translation.lost_register);
                    self.rules.id(translation.rule)
                }
            };
            self.stats.unsupported_rows += u64::from(self.rules.is_unsupported(id));
            self.pages.set(svma.max(piece.start), id)
        })
    }

    fn write_go<'d, R: ReadRef<'d>>(
        &mut self,
        piece: &Piece,
        image: &Image<'d, R>,
        go: Option<&GoCode<'_>>,
    ) -> Result<(), Error> {
        let Some(go) = go else { return Ok(()) };
        go.rows(image, piece.key, |svma, rule| {
            if svma >= piece.end() {
                return Ok(());
            }
            self.stats.raw_rows += 1;
            let id = self.rules.id(rule);
            self.stats.unsupported_rows += u64::from(self.rules.is_unsupported(id));
            self.pages.set(svma.max(piece.start), id)
        })
    }

    fn write_code(&mut self, piece: &Piece, code: &RecognizedCode) -> Result<(), Error> {
        for (svma, rule) in code.rows(&(piece.start..piece.end())) {
            self.stats.raw_rows += 1;
            let id = self.rules.id(*rule);
            self.pages.set((*svma).max(piece.start), id)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<CompactTable, Error> {
        if let Some(end) = self.covered_to {
            self.pages.set(end, RuleSet::NONE)?;
        }
        let (pages, rows) = self.pages.finish();
        let rules = self.rules.into_rules();
        Ok(CompactTable { pages, rows, rules, go: None, stats: self.stats })
    }
}
