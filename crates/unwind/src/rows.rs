//! Pieces → the rows of a range of addresses.

use std::ops::Range;

use gimli::UnwindSection;
use object::ReadRef;

use crate::arch::Machine;
use crate::cfi::{Bytes, CfiSection};
use crate::code::RecognizedCode;
use crate::error::Error;
use crate::go::GoCode;
use crate::image::Image;
use crate::intern::RuleSet;
use crate::marks::Marks;
use crate::pages::PageBuilder;
use crate::rule::Rule;
use crate::spans::{Piece, Source};
use crate::table::{CompactTable, RuleId, Stats};

/// A hole shorter than this between described functions is padding and is not marked (16-byte alignment leaves at most 15).
/// What was followed has its padding with it: a hole beside it is code that was not understood, however short.
pub(crate) const MIN_GAP: u64 = 16;

/// Turns pieces, in ascending order, into the rows of `range`.
#[derive(Debug)]
pub(crate) struct RowWriter<'m> {
    machine: Machine,
    range: Range<u64>,
    pages: PageBuilder,
    rules: RuleSet,
    marks: &'m Marks,
    pub(crate) stats: Stats,
    /// Where the last piece ended, and who described it.
    covered_to: Option<(u64, Source)>,
}

impl<'m> RowWriter<'m> {
    pub(crate) fn new(
        machine: Machine,
        range: Range<u64>,
        max_rows: usize,
        marks: &'m Marks,
    ) -> Self {
        let (pages, rules) = (PageBuilder::new(max_rows), RuleSet::new());
        Self { machine, range, pages, rules, marks, stats: Stats::default(), covered_to: None }
    }

    /// What is in force before the range is so at its start; what is after it is left out.
    fn set(&mut self, svma: u64, rule: RuleId) -> Result<(), Error> {
        if svma >= self.range.end {
            return Ok(());
        }
        self.pages.set(svma.max(self.range.start), rule)
    }

    /// What is before the first piece is a hole.
    pub(crate) fn begin_range(&mut self) -> Result<(), Error> {
        let hole = self.hole();
        self.set(self.range.start, hole)
    }

    /// The rule of code that nothing describes.
    fn hole(&mut self) -> RuleId {
        self.rules.id(self.marks.apply_to_rest(Rule::NONE))
    }

    /// Marks the hole before `piece`, if it is one.
    pub(crate) fn begin(&mut self, piece: &Piece) -> Result<(), Error> {
        if let Some((end, source)) = self.covered_to
            && piece.start > end
            && (piece.start - end >= MIN_GAP || [source, piece.source].contains(&Source::Code))
        {
            self.stats.gaps += 1;
            let hole = self.hole();
            self.set(end, hole)?;
        }
        self.covered_to = Some((piece.end(), piece.source));
        Ok(())
    }

    pub(crate) fn write_cfi<'d, S>(
        &mut self,
        piece: &Piece,
        section: Option<&mut CfiSection<'d, S>>,
    ) -> Result<(), Error>
    where
        S: UnwindSection<Bytes<'d>>,
    {
        let Some(section) = section else { return Ok(()) };
        let end = piece.end().min(self.range.end);
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
                    self.rules.id(self.marks.apply(svma, translation.rule))
                }
            };
            self.stats.unsupported_rows += u64::from(self.rules.is_unsupported(id));
            self.set(svma.max(piece.start), id)
        })
    }

    pub(crate) fn write_go<'d, R: ReadRef<'d>>(
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
            self.set(svma.max(piece.start), id)
        })
    }

    pub(crate) fn write_code(
        &mut self,
        piece: &Piece,
        code: Option<&RecognizedCode>,
    ) -> Result<(), Error> {
        let Some(code) = code else { return Ok(()) };
        for (svma, rule) in code.rows(&(piece.start..piece.end())) {
            self.stats.raw_rows += 1;
            let id = self.rules.id(self.marks.apply_to_rest(*rule));
            self.set((*svma).max(piece.start), id)?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<CompactTable, Error> {
        if let Some((end, _)) = self.covered_to {
            let hole = self.hole();
            self.set(end, hole)?;
        }
        let (pages, rows) = self.pages.finish();
        let rules = self.rules.into_rules();
        Ok(CompactTable { pages, rows, rules, go: None, stats: self.stats })
    }
}
