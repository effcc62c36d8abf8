//! Where an image's rules are, found at little cost; and from it the rows of any page, made when they are wanted.
//!
//! A plan borrows nothing: the image's bytes may be closed meanwhile. They must be the same when pages are made. It
//! does not know which pages are wanted, or keep those that were made.

use std::ops::Range;

use gimli::{BaseAddresses, DebugFrame, LittleEndian};
use infrared_abi::RuntimeId;
use infrared_elf::Symbol;
use object::ReadRef;

use crate::build::Options;
use crate::cfi::{CfiSection, EVERYTHING, EhFrames, Listed, spans_of};
use crate::code;
use crate::error::Error;
use crate::go::{self, GoCode, GoInfo};
use crate::image::Image;
use crate::marks::{Marks, parts_of};
use crate::rest::{Rest, optional};
use crate::rows::RowWriter;
use crate::spans::{Pieces, Source, around};
use crate::table::{CompactTable, PAGE_SHIFT, Stats};

/// So much more code of a runtime is followed than of others: Node.js 24 has 3.8 MiB that no table describes.
const MUCH_OF_RUNTIME: u64 = 2;

/// What is known of an image before any of its rows is made.
#[derive(Debug)]
pub struct Plan {
    options: Options,
    code: Vec<Range<u64>>,
    listed: Option<Listed>,
    is_go: bool,
    go: Option<GoInfo>,
    symbols: Vec<(&'static str, Symbol)>,
    marks: Marks,
    /// What `.eh_frame` does not describe: looked for when it is needed.
    rest: Option<Rest>,
}

/// What making pages takes of an opened image.
struct Sources<'a, 'd, R> {
    image: &'a Image<'d, R>,
    frames: &'a mut Option<EhFrames<'d>>,
    go: Option<&'a GoCode<'a>>,
}

impl Plan {
    /// Looks at headers, and at what is in no search table. `data` is the image's bytes, or a
    /// [`ReadCache`](object::ReadCache) over its file.
    pub fn open<'d, R: ReadRef<'d>>(data: R, options: &Options) -> Result<Self, Error> {
        let image = Image::open(data, options.max_section_bytes)?;
        let mut frames = EhFrames::open(&image, None)?;
        let mut stats = Stats::default();
        let go_table = optional(go::table_bytes(&image), &mut stats);
        let go = go_table.as_ref().and_then(|table| GoCode::open(&image, table));
        let symbols = symbols_of(&image, options);
        let mut plan = Self {
            options: *options,
            code: image.code.clone(),
            listed: frames.as_ref().and_then(EhFrames::listed),
            is_go: go.is_some(),
            go: go.as_ref().and_then(GoCode::info),
            symbols,
            marks: Marks::default(),
            rest: None,
        };
        if go.is_some() || frames.is_none() || code::has_hidden_root(&image) {
            let mut sources = Sources { image: &image, frames: &mut frames, go: go.as_ref() };
            plan.find_rest(&mut sources);
        }
        Ok(plan)
    }

    /// What Go's function table says, if the image has one.
    pub fn go(&self) -> Option<&GoInfo> {
        self.go.as_ref()
    }

    /// Of [`Options::symbols`], those that the image defines for others.
    pub fn symbols(&self) -> &[(&'static str, Symbol)] {
        &self.symbols
    }

    /// From now on, rows of the function at `entry` say that its frames run those of a runtime. `false`: it is not described.
    pub fn mark<'d, R: ReadRef<'d>>(&mut self, data: R, entry: u64, runtime: RuntimeId) -> bool {
        let Ok(image) = Image::open(data, self.options.max_section_bytes) else { return false };
        let Ok(Some(mut frames)) = EhFrames::open(&image, self.listed.as_ref()) else {
            return false;
        };
        let parts = parts_of(&image, &mut frames, entry);
        let is_found = !parts.is_empty();
        self.marks.add(parts, runtime);
        is_found
    }

    /// From now on, all code that no table describes is a runtime's: rows of it say so, and more of it is followed.
    pub fn mark_rest(&mut self, runtime: RuntimeId) {
        self.marks.add_rest(runtime);
        self.options.max_followed_bytes *= MUCH_OF_RUNTIME;
        self.rest = None;
    }

    /// The pages that have code, in ascending order.
    pub fn pages(&self) -> impl Iterator<Item = u32> + '_ {
        let mut next = 0;
        self.code.iter().flat_map(move |range| {
            let (first, last) = (range.start >> PAGE_SHIFT, (range.end - 1) >> PAGE_SHIFT);
            let pages = (first as u32).max(next)..last as u32 + 1;
            next = next.max(pages.end);
            pages
        })
    }

    /// Bytes of memory that the plan takes, about.
    pub fn bytes(&self) -> usize {
        let listed = self.listed.as_ref().map_or(0, |listed| size_of_val(&**listed));
        size_of::<Self>() + listed + self.rest.as_ref().map_or(0, Rest::bytes)
    }

    /// Makes the rows of pages. The table of a page without any rule has one row, which says so.
    pub fn make<'d, R: ReadRef<'d>>(
        &mut self,
        data: R,
        pages: &[u32],
    ) -> Result<Vec<(u32, CompactTable)>, Error> {
        let ranges: Vec<_> = pages.iter().map(|page| range_of(*page)).collect();
        let mut made = Vec::with_capacity(pages.len());
        self.with_sources(data, &ranges, |plan, sources| {
            for (page, range) in pages.iter().zip(&ranges) {
                let mut table = plan.table(sources, range.clone())?;
                table.add_hole(*page);
                made.push((*page, table));
            }
            Ok(())
        })?;
        Ok(made)
    }

    /// Makes the rows of all pages. A page without any rule is left out.
    pub(crate) fn make_all<'d, R: ReadRef<'d>>(&mut self, data: R) -> Result<CompactTable, Error> {
        let mut table = CompactTable::default();
        self.with_sources(data, &[EVERYTHING], |plan, sources| {
            table = plan.table(sources, EVERYTHING)?;
            Ok(())
        })?;
        table.go = self.go.clone();
        if let Some(rest) = &self.rest {
            rest.count(&mut table.stats);
        }
        Ok(table)
    }

    fn with_sources<'d, R: ReadRef<'d>>(
        &mut self,
        data: R,
        ranges: &[Range<u64>],
        make: impl FnOnce(&Self, &mut Sources<'_, 'd, R>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let image = Image::open(data, self.options.max_section_bytes)?;
        let mut frames = EhFrames::open(&image, self.listed.as_ref())?;
        let go_table = if self.is_go { go::table_bytes(&image)? } else { None };
        let go = go_table.as_ref().and_then(|table| GoCode::open(&image, table));
        let mut sources = Sources { image: &image, frames: &mut frames, go: go.as_ref() };
        if self.rest.is_none() && ranges.iter().any(|range| leaves_code(&mut sources, range)) {
            self.find_rest(&mut sources);
        }
        make(self, &mut sources)
    }

    fn find_rest<'d, R: ReadRef<'d>>(&mut self, sources: &mut Sources<'_, 'd, R>) {
        let covered = sources.frames.as_mut().map(|frames| frames.covered(sources.image));
        let mut described = Pieces::default();
        described.add_layer(Source::EhFrame, covered.unwrap_or_default(), &sources.image.code);
        self.rest = Some(Rest::find(sources.image, sources.go, described, &self.options));
    }

    fn table<'d, R: ReadRef<'d>>(
        &self,
        sources: &mut Sources<'_, 'd, R>,
        range: Range<u64>,
    ) -> Result<CompactTable, Error> {
        let image = sources.image;
        let rest = self.rest.as_ref();
        let entries = sources.frames.as_mut().map(|frames| frames.read(image, &range));
        let mut eh_frame = sources.frames.as_ref().map(EhFrames::cfi);
        let mut rows =
            RowWriter::new(image.machine, range.clone(), self.options.max_rows, &self.marks);
        if range != EVERYTHING {
            rows.begin_range()?;
        }
        let mut pieces = Pieces::default();
        pieces.add(rest.map_or(&[][..], |rest| around(&rest.pieces, &range)).iter().copied());
        if let (Some(section), Some(entries)) = (&mut eh_frame, &entries) {
            let found = spans_of(section, entries);
            found.count(&mut rows.stats);
            pieces.add_layer(Source::EhFrame, found.spans, &image.code);
        }
        let has_debug_frame =
            pieces.as_slice().iter().any(|piece| piece.source == Source::DebugFrame);
        let debug_frame = if has_debug_frame { image.section_data(".debug_frame")? } else { None };
        let mut debug_frame = debug_frame.as_ref().map(|data| {
            let (bytes, bases) = (&data.bytes, BaseAddresses::default());
            let section = DebugFrame::new(bytes, LittleEndian);
            CfiSection::new(section, bases, image.machine.registers(), bytes.len())
        });
        for piece in pieces.as_slice() {
            rows.begin(piece)?;
            if piece.start >= range.end {
                break;
            }
            match piece.source {
                Source::EhFrame => rows.write_cfi(piece, eh_frame.as_mut())?,
                Source::DebugFrame => rows.write_cfi(piece, debug_frame.as_mut())?,
                Source::Go => rows.write_go(piece, image, sources.go)?,
                Source::Code => rows.write_code(piece, rest.map(|rest| &rest.code))?,
            }
        }
        rows.finish()
    }
}

impl<'d, R: ReadRef<'d>> Sources<'_, 'd, R> {
    /// What `.eh_frame` describes of `range`, its neighbours included.
    fn described(&mut self, range: &Range<u64>) -> Pieces {
        let mut pieces = Pieces::default();
        if let Some(frames) = &mut self.frames {
            let entries = frames.read(self.image, range);
            let found = spans_of(&mut frames.cfi(), &entries);
            pieces.add_layer(Source::EhFrame, found.spans, &self.image.code);
        }
        pieces
    }
}

/// Whether `.eh_frame` leaves code of `range` out that another source may describe.
fn leaves_code<'d, R: ReadRef<'d>>(sources: &mut Sources<'_, 'd, R>, range: &Range<u64>) -> bool {
    let (described, image) = (sources.described(range), sources.image);
    code::holes(&code::code_sections(image), &described)
        .iter()
        .filter(|hole| hole.start < range.end && range.start < hole.end)
        .any(|hole| !code::is_padding(image, hole))
}

/// Those of the symbols that are looked for that the image has.
fn symbols_of<'d, R: ReadRef<'d>>(
    image: &Image<'d, R>,
    options: &Options,
) -> Vec<(&'static str, Symbol)> {
    let names = options.symbols.iter().copied().flatten().copied();
    let mut found: Vec<_> = names.filter_map(|name| Some((name, image.symbol(name)?))).collect();
    for (name, beside) in options.own_symbols {
        if found.iter().any(|(other, _)| other == beside) {
            found.extend(image.own_symbol(name).map(|symbol| (*name, symbol)));
        }
    }
    found
}

fn range_of(page: u32) -> Range<u64> {
    let start = u64::from(page) << PAGE_SHIFT;
    start..start + (1 << PAGE_SHIFT)
}
