//! The entries of one section of call frame information.

use gimli::{
    BaseAddresses, CieOrFde, CommonInformationEntry, Encoding, Expression, FrameDescriptionEntry,
    UnwindExpression, UnwindSection,
};
use hashbrown::HashMap;

use super::Bytes;
use super::evaluate::{Evaluation, FrameState, Malformed};
use crate::arch::Registers;
use crate::spans::Span;

/// A common information entry and the state its instructions lead to.
#[derive(Debug)]
pub(super) struct Cie<'d> {
    pub(super) entry: CommonInformationEntry<Bytes<'d>>,
    initial: FrameState,
}

/// Resolves the expressions of a frame description.
#[derive(Debug)]
pub(crate) struct Expressions<'s, S> {
    section: &'s S,
    pub(crate) encoding: Encoding,
}

impl<'d, S: UnwindSection<Bytes<'d>>> Expressions<'_, S> {
    pub(crate) fn get(
        &self,
        expression: &UnwindExpression<usize>,
    ) -> Option<Expression<Bytes<'d>>> {
        expression.get(self.section).ok()
    }
}

/// `.eh_frame` or `.debug_frame`.
#[derive(Debug)]
pub(crate) struct CfiSection<'d, S> {
    pub(super) section: S,
    pub(super) bases: BaseAddresses,
    registers: &'static Registers,
    cies: HashMap<usize, Option<Cie<'d>>>,
    remembered: Vec<FrameState>,
    /// Bytes of instructions that may still be run. Entries may share bytes, so their number alone bounds nothing.
    budget: u64,
}

/// Linkers merge equal entries; more different ones than this are not looked at.
const MAX_CIES: usize = 1 << 16;

/// How often each byte of a section may be run, on average. Real sections are run once.
const RUNS_PER_BYTE: u64 = 8;

/// The address ranges of a section.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) spans: Vec<Span>,
    pub(crate) malformed: u64,
}

impl<'d, S> CfiSection<'d, S>
where
    S: UnwindSection<Bytes<'d>>,
{
    /// `read_bytes` of the section are at hand.
    pub(crate) fn new(
        section: S,
        bases: BaseAddresses,
        registers: &'static Registers,
        read_bytes: usize,
    ) -> Self {
        let budget = read_bytes as u64 * RUNS_PER_BYTE;
        Self { section, bases, registers, cies: HashMap::new(), remembered: Vec::new(), budget }
    }

    /// The ranges of all frame descriptions, in the order of the section. A span's key is the description's offset.
    pub(crate) fn list(&mut self) -> Listing {
        let mut listing = Listing::default();
        let bases = self.bases.clone();
        let section = self.section.clone();
        let mut entries = section.entries(&bases);
        loop {
            match entries.next() {
                Ok(None) => return listing,
                Ok(Some(CieOrFde::Cie(_))) => {}
                Ok(Some(CieOrFde::Fde(partial))) => {
                    let fde =
                        partial.parse(|_, _, offset| self.cie(offset).map(|cie| cie.entry.clone()));
                    match fde.ok().and_then(|fde| span_of(&fde)) {
                        Some(span) if span.len == 0 => {}
                        Some(span) => listing.spans.push(span),
                        None => listing.malformed += 1,
                    }
                }
                // The length is damaged, so where the next entry starts is unknown.
                Err(_) => {
                    listing.malformed += 1;
                    return listing;
                }
            }
        }
    }

    /// The range of the description at `offset`; `None` if it is damaged.
    pub(super) fn parsed_span_at(&mut self, offset: u32) -> Option<Span> {
        let section = self.section.clone();
        let bases = self.bases.clone();
        let fde = section.fde_from_offset(&bases, (offset as usize).into(), |_, _, offset| {
            self.cie(offset).map(|cie| cie.entry.clone())
        });
        span_of(&fde.ok()?)
    }

    /// Calls `sink(svma, state, expressions, is_signal)` for each address below `end` at which a state begins, in
    /// ascending order; with no state where the description is damaged from there on. An error of the sink ends it.
    pub(crate) fn evaluate<E>(
        &mut self,
        offset: u32,
        end: u64,
        mut sink: impl FnMut(u64, Option<&FrameState>, &Expressions<'_, S>, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        let section = self.section.clone();
        let bases = self.bases.clone();
        let mut initial = FrameState::START;
        let parsed =
            section.fde_from_offset(&bases, (offset as usize).into(), |_, _, cie_offset| {
                let cie = self.cie(cie_offset)?;
                initial = cie.initial;
                Ok(cie.entry.clone())
            });
        let Ok(fde) = parsed else { return Ok(()) };
        let expressions = Expressions { section: &section, encoding: fde.cie().encoding() };
        let signal = fde.is_signal_trampoline();
        let mut instructions = fde.instructions(&section, &bases);
        let mut evaluation = Evaluation {
            registers: self.registers,
            code_alignment: fde.cie().code_alignment_factor(),
            data_alignment: fde.cie().data_alignment_factor(),
            initial,
            state: initial,
            svma: fde.initial_address(),
            remembered: std::mem::take(&mut self.remembered),
        };
        evaluation.remembered.clear();
        let spent = take(&mut self.budget, fde.entry_len());
        loop {
            let next = match spent {
                Ok(()) => evaluation.run_to_next_address(&mut instructions),
                Err(Malformed) => Err(Malformed),
            };
            let start = evaluation.svma;
            let state = next.is_ok().then_some(&evaluation.state);
            sink(start, state, &expressions, signal)?;
            match next {
                Ok(Some(next)) if next < fde.end_address().min(end) => evaluation.svma = next,
                _ => break,
            }
        }
        self.remembered = evaluation.remembered;
        Ok(())
    }

    pub(super) fn cie(&mut self, offset: S::Offset) -> gimli::Result<&Cie<'d>> {
        let key = gimli::UnwindOffset::into(offset);
        if !self.cies.contains_key(&key) {
            if self.cies.len() >= MAX_CIES {
                return Err(gimli::Error::StackFull);
            }
            let entry = self.section.cie_from_offset(&self.bases, offset).ok();
            let cie = entry
                .filter(|entry| take(&mut self.budget, entry.entry_len()).is_ok())
                .and_then(|entry| run_cie(&self.section, &self.bases, entry, self.registers));
            self.cies.insert(key, cie);
        }
        let known = self.cies.get(&key).and_then(Option::as_ref);
        known.ok_or(gimli::Error::NotCieId(key as u64))
    }
}

fn take(budget: &mut u64, bytes: usize) -> Result<(), Malformed> {
    *budget = budget.checked_sub(bytes as u64).ok_or(Malformed)?;
    Ok(())
}

fn run_cie<'d, S: UnwindSection<Bytes<'d>>>(
    section: &S,
    bases: &BaseAddresses,
    entry: CommonInformationEntry<Bytes<'d>>,
    registers: &'static Registers,
) -> Option<Cie<'d>> {
    let mut evaluation = Evaluation {
        registers,
        code_alignment: entry.code_alignment_factor(),
        data_alignment: entry.data_alignment_factor(),
        initial: FrameState::START,
        state: FrameState::START,
        svma: 0,
        remembered: Vec::new(),
    };
    let mut instructions = entry.instructions(section, bases);
    while let Some(next) = evaluation.run_to_next_address(&mut instructions).ok()? {
        evaluation.svma = next;
    }
    (entry.return_address_register().0 == registers.ra)
        .then_some(Cie { initial: evaluation.state, entry })
}

/// The range of a description, if it is one.
fn span_of(fde: &FrameDescriptionEntry<Bytes<'_>>) -> Option<Span> {
    let start = fde.initial_address();
    start.checked_add(fde.len())?;
    let len = u32::try_from(fde.len()).ok()?;
    Some(Span { start, len, key: u32::try_from(fde.offset()).ok()? })
}
