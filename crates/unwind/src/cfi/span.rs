//! The range of a frame description without the rest of it. A library has tens of thousands of descriptions, nearly all of
//! one form: four bytes each for the length, the way back to the common entry, the start and the number of bytes.

use gimli::{EhFrame, Section, constants};

use super::Bytes;
use super::section::CfiSection;
use crate::spans::Span;

/// What compilers choose for the start of a function.
const PLAIN: constants::DwEhPe =
    constants::DwEhPe(constants::DW_EH_PE_pcrel.0 | constants::DW_EH_PE_sdata4.0);
/// Of a description of this form, the least that follows its length.
const SHORTEST: usize = 12;

impl<'d> CfiSection<'d, EhFrame<Bytes<'d>>> {
    /// The range of the description at `offset`; `None` if it is damaged.
    pub(crate) fn span_at(&mut self, offset: u32) -> Option<Span> {
        self.plain_span_at(offset).or_else(|| self.parsed_span_at(offset))
    }

    /// The same of a description of the common form. What is damaged after its range is found when it is evaluated.
    fn plain_span_at(&mut self, offset: u32) -> Option<Span> {
        let bytes = self.section.reader().slice();
        let at = offset as usize;
        let [len, distance, start, count] = [0, 4, 8, 12].map(|field| word(bytes, at, field));
        let body = at.checked_add(4)?;
        let len = usize::try_from(len?).ok()?;
        if len < SHORTEST || len == 0xffff_ffff || body.checked_add(len)? > bytes.len() {
            return None;
        }
        let cie = self.cie(body.checked_sub(distance? as usize)?.into()).ok()?;
        if cie.entry.fde_address_encoding() != Some(PLAIN) {
            return None;
        }
        let place = self.bases.eh_frame.section?.wrapping_add(body as u64 + 4);
        let start = place.wrapping_add_signed((start? as i32).into());
        let len = count.filter(|count| i32::try_from(*count).is_ok())?;
        start.checked_add(len.into())?;
        Some(Span { start, len, key: offset })
    }
}

fn word(bytes: &[u8], at: usize, field: usize) -> Option<u32> {
    let at = at.checked_add(field)?;
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use object::{Object, ObjectSection};

    use super::*;
    use crate::arch::Machine;

    #[test]
    fn a_range_that_is_read_quickly_is_the_one_that_is_parsed() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        let object = object::File::parse(&*own).unwrap();
        let eh_frame = object.section_by_name(".eh_frame").unwrap();
        let data = eh_frame.data().unwrap();
        let bases = gimli::BaseAddresses::default().set_eh_frame(eh_frame.address());
        let bytes = EhFrame::new(data, gimli::LittleEndian);
        let mut section = CfiSection::new(bytes, bases, Machine::X86_64.registers(), data.len());
        let spans = section.list().spans;
        assert!(spans.len() > 1_000, "{}", spans.len());
        let mut plain = 0;
        for span in &spans {
            assert_eq!(section.parsed_span_at(span.key), Some(*span));
            assert_eq!(section.span_at(span.key), Some(*span));
            plain += usize::from(section.plain_span_at(span.key).is_some());
        }
        assert_eq!(plain, spans.len());
        // Between descriptions there is none, whoever looks.
        for offset in (0..data.len() as u32 + 8).step_by(3) {
            if let Some(span) = section.plain_span_at(offset) {
                assert_eq!(section.parsed_span_at(offset), Some(span), "at {offset}");
            }
        }
    }
}
