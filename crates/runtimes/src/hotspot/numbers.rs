//! Numbers of one to five bytes: `UNSIGNED5` (src/hotspot/share/utilities/unsigned5.hpp).

use super::layout::NumberFormat;

/// A byte below this is the last one.
const LAST_BELOW: u32 = 192;
const BITS: u32 = 6;
const MOST_BYTES: u32 = 5;

/// Reads numbers one after the other.
#[derive(Clone, Debug)]
pub(super) struct Numbers<'b> {
    bytes: &'b [u8],
    format: NumberFormat,
}

impl<'b> Numbers<'b> {
    pub(super) fn new(bytes: &'b [u8], format: NumberFormat) -> Self {
        Self { bytes, format }
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    pub(super) fn unsigned(&mut self) -> Option<u32> {
        let mut sum = 0_u32;
        for place in 0..MOST_BYTES {
            let byte = u32::from(self.byte()?);
            let digit = match self.format {
                NumberFormat::WithZeros => byte,
                NumberFormat::WithoutZeros => byte.checked_sub(1)?,
            };
            sum = sum.wrapping_add(digit << (BITS * place));
            if byte < LAST_BELOW {
                break;
            }
        }
        Some(sum)
    }

    /// The lowest bit is the sign.
    pub(super) fn signed(&mut self) -> Option<i32> {
        let number = self.unsigned()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::NumberFormat::{WithZeros, WithoutZeros};
    use super::*;

    #[test]
    fn a_byte_below_192_is_the_last_and_in_later_versions_none_is_zero() {
        let read = |bytes: &[u8], format| Numbers::new(bytes, format).unsigned();
        assert_eq!(read(&[0], WithZeros), Some(0));
        assert_eq!(read(&[1], WithoutZeros), Some(0));
        assert_eq!(read(&[191], WithZeros), Some(191));
        assert_eq!(read(&[191], WithoutZeros), Some(190));
        assert_eq!(read(&[192, 1], WithZeros), Some(192 + 64));
        assert_eq!(read(&[192, 1], WithoutZeros), Some(191));
        assert_eq!(read(&[255, 255, 255, 255, 255], WithZeros), Some(sum()));
        assert_eq!(read(&[0], WithoutZeros), None);
        assert_eq!(read(&[200], WithZeros), None, "it is cut");
    }

    fn sum() -> u32 {
        (0..5).fold(0_u32, |sum, place| sum.wrapping_add(255 << (6 * place)))
    }

    #[test]
    fn the_lowest_bit_of_a_signed_number_is_its_sign() {
        let mut numbers = Numbers::new(&[0, 1, 2, 3], WithZeros);
        let signed: Vec<_> = std::iter::from_fn(|| numbers.signed()).collect();
        assert_eq!(signed, [0, -1, 1, -2]);
    }
}
