//! Line tables: `CompressedLineNumberReadStream` (src/hotspot/share/code/compressedStream.hpp, oops/method.cpp).

use super::{layout::NumberFormat, numbers::Numbers};

/// Two numbers with signs follow; else five bits of bytecode and three of line.
const FULL: u8 = 0xff;
const LINE_BITS: u32 = 3;

/// The line of a bytecode; 0: none.
pub(super) fn line_of(table: &[u8], format: NumberFormat, bytecode: u32) -> u32 {
    let mut numbers = Numbers::new(table, format);
    let (mut at, mut line, mut found) = (0_u32, 0_u32, 0_u32);
    while let Some(byte) = numbers.byte().filter(|byte| *byte != 0) {
        let steps = if byte == FULL {
            (|| Some((numbers.signed()?, numbers.signed()?)))()
        } else {
            Some((i32::from(byte >> LINE_BITS), i32::from(byte & ((1 << LINE_BITS) - 1))))
        };
        let Some((bytes, lines)) = steps else { break };
        at = at.wrapping_add_signed(bytes);
        line = line.wrapping_add_signed(lines);
        if at > bytecode {
            break;
        }
        found = line;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bytecode_has_the_line_of_the_last_entry_at_or_before_it() {
        // 0 → 40 (both numbers in full, with signs), 4 → 41, 9 → 39.
        let table = [FULL, 0, 80, 4 << 3 | 1, FULL, 10, 3, 0];
        let line = |bytecode| line_of(&table, NumberFormat::WithZeros, bytecode);
        assert_eq!([0, 3, 4, 8, 9, 500].map(line), [40, 40, 41, 41, 39, 39]);
        assert_eq!(line_of(&[FULL, 200], NumberFormat::WithZeros, 0), 0, "it is cut");
    }
}
