//! The entries of one section of call frame information.

use gimli::{
    BaseAddresses, CieOrFde, CommonInformationEntry, Encoding, Expression, FrameDescriptionEntry,
    UnwindExpression, UnwindSection,
};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::Bytes;
use super::evaluate::{Evaluation, FrameState};
use crate::arch::Registers;
use crate::spans::Span;

/// A common information entry and the state its instructions lead to.
#[derive(Debug, Clone)]
struct Cie<'d> {
    entry: CommonInformationEntry<Bytes<'d>>,
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
    section: S,
    bases: BaseAddresses,
    registers: &'static Registers,
    cies: HashMap<usize, Option<Cie<'d>>>,
    remembered: Vec<FrameState>,
}

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
    pub(crate) fn new(section: S, bases: BaseAddresses, registers: &'static Registers) -> Self {
        Self { section, bases, registers, cies: HashMap::new(), remembered: Vec::new() }
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
                    let fde = partial.parse(|_, _, offset| self.cie(offset).map(|cie| cie.entry));
                    match fde.ok().and_then(|fde| span_of(&fde)) {
                        Some(span) => listing.spans.extend(span),
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

    /// Calls `sink(svma, state, expressions, is_signal)` for each address at which a state begins, in ascending order;
    /// with no state where the description is damaged from there on. An error of the sink ends it.
    pub(crate) fn evaluate<E>(
        &mut self,
        offset: u32,
        mut sink: impl FnMut(u64, Option<&FrameState>, &Expressions<'_, S>, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        let section = self.section.clone();
        let bases = self.bases.clone();
        let mut initial = FrameState::START;
        let parsed =
            section.fde_from_offset(&bases, (offset as usize).into(), |_, _, cie_offset| {
                let cie = self.cie(cie_offset)?;
                initial = cie.initial;
                Ok(cie.entry)
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
        loop {
            let next = evaluation.run_to_next_address(&mut instructions);
            let start = evaluation.svma;
            let state = next.is_ok().then_some(&evaluation.state);
            sink(start, state, &expressions, signal)?;
            match next {
                Ok(Some(next)) if next < fde.end_address() => evaluation.svma = next,
                _ => break,
            }
        }
        self.remembered = evaluation.remembered;
        Ok(())
    }

    fn cie(&mut self, offset: S::Offset) -> gimli::Result<Cie<'d>> {
        let key = gimli::UnwindOffset::into(offset);
        let cie = match self.cies.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(vacant) => {
                vacant.insert(parse_cie(&self.section, &self.bases, offset, self.registers))
            }
        };
        cie.clone().ok_or(gimli::Error::NotCieId)
    }
}

fn parse_cie<'d, S: UnwindSection<Bytes<'d>>>(
    section: &S,
    bases: &BaseAddresses,
    offset: S::Offset,
    registers: &'static Registers,
) -> Option<Cie<'d>> {
    let entry = section.cie_from_offset(bases, offset).ok()?;
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

/// The range of a description; `Some(None)` if it is empty, `None` if it cannot be one.
fn span_of(fde: &FrameDescriptionEntry<Bytes<'_>>) -> Option<Option<Span>> {
    let start = fde.initial_address();
    start.checked_add(fde.len())?;
    let key = u32::try_from(fde.offset()).ok()?;
    let Ok(len) = u32::try_from(fde.len()) else { return None };
    Some((len > 0).then_some(Span { start, len, key }))
}
