//! Tables of positions (src/codegen/source-position-table.cc): which place in the source a place in code is of.

/// How steps in code are written. Steps in the source have a sign in all versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PositionFormat {
    /// Until 13: a number with a sign; what is no statement is negative, less one.
    Signed,
    /// Since 14: the step is above two bits.
    Flagged,
}

impl PositionFormat {
    /// By the version's first number.
    pub(super) fn of(major: u16) -> Self {
        if major < 14 { Self::Signed } else { Self::Flagged }
    }
}

/// A place in the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Characters from the start of the script.
    pub(super) offset: u32,
    /// Which of the calls that were put into this code it is in, from 1; 0: in none.
    pub(super) inlined: u32,
}

const EXTERNAL: u64 = 1;
const OFFSET_BITS: u32 = 30;
const INLINED_BITS: u32 = 16;

impl Position {
    /// `None`: it is of a file that is no script.
    pub(super) fn of(value: u64) -> Option<Self> {
        let bits = |at: u32, count: u32| (value >> at & ((1 << count) - 1)) as u32;
        (value & EXTERNAL == 0).then(|| Self {
            // One more, as it is -1 where there is none.
            offset: bits(1, OFFSET_BITS).saturating_sub(1),
            inlined: bits(1 + OFFSET_BITS, INLINED_BITS),
        })
    }
}

/// The position of the last entry at or before a place in code.
pub(super) fn position_at(table: &[u8], format: PositionFormat, place: u32) -> Option<Position> {
    let (mut rest, mut code, mut source, mut found) = (table, 0_i64, 0_i64, None);
    while !rest.is_empty() {
        let step = number(&mut rest)?;
        code += match format {
            PositionFormat::Signed => {
                let step = signed(step);
                if step < 0 { -(step + 1) } else { step }
            }
            PositionFormat::Flagged => (step >> 2).cast_signed(),
        };
        source = source.wrapping_add(signed(number(&mut rest)?));
        if code > i64::from(place) {
            break;
        }
        found = Some(source);
    }
    Position::of(found?.cast_unsigned())
}

/// Seven bits a byte, the lowest first; bit 7: more follow.
pub(super) fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for place in 0..9 {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The lowest bit is the sign.
fn signed(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::PositionFormat::{Flagged, Signed};
    use super::*;

    #[test]
    fn a_place_has_the_position_of_the_last_entry_at_or_before_it() {
        // 0 → 4; 3, which is no statement, → 2; 70 → 66.
        let signed = [0, 20, 7, 7, 134, 1, 128, 2];
        let flagged = [3, 20, 14, 7, 142, 2, 128, 2];
        for (table, format) in [(signed, Signed), (flagged, Flagged)] {
            let at = |place| position_at(&table, format, place).map(|found| found.offset);
            assert_eq!([0, 2, 3, 69, 70, 5000].map(at), [4, 4, 2, 2, 66, 66].map(Some));
        }
        assert_eq!(position_at(&[], Signed, 7), None);
        assert_eq!(position_at(&[2, 20], Signed, 0), None, "it begins later");
        assert_eq!(position_at(&[0, 20, 0x80], Signed, 9), None, "it is cut");
        assert_eq!(position_at(&[0, 2], Signed, 0), None, "it is of no script");
    }
}
