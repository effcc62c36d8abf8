//! How far a symbol without a size reaches: assemblers write labels so, and behind the last one of a stripped library lies
//! everything that has lost its own.
//!
//! By call frame information where there is any: it has an entry for each function. Else by the code between: a function
//! has ended where a return or a jump is followed by what fills up to the next alignment. That can end too early, which
//! costs a name; it does not give one that is wrong.

use std::collections::HashMap;

use super::symbols::Symbol;
use super::{Elf, function_starts};
use crate::error::Result;

/// Code that is looked at between a symbol and an address; farther away it names nothing.
const LONGEST: u64 = 64 << 10;
const ALIGNMENT: u64 = 16;

/// For the addresses (ascending) of `named` whose symbol has no size: whether the symbol's function ends before them.
pub(crate) fn beyond(elf: &Elf, named: &[(u64, Symbol)]) -> Result<HashMap<u64, bool>> {
    let unsized_ones: Vec<(u64, Symbol)> = named
        .iter()
        .copied()
        .filter(|(svma, symbol)| symbol.size == 0 && *svma != symbol.start)
        .collect();
    if unsized_ones.is_empty() {
        return Ok(HashMap::new());
    }
    let mut asked: Vec<u64> =
        unsized_ones.iter().flat_map(|(svma, symbol)| [*svma, symbol.start]).collect();
    asked.sort_unstable();
    asked.dedup();
    let starts = function_starts::find(elf, &asked)?;
    let is_beyond = |(svma, symbol): (u64, Symbol)| {
        let beyond = match (starts.get(&symbol.start), starts.get(&svma)) {
            // A label within a described function does not leave it.
            (Some(own), Some(other)) => own != other,
            (Some(_), None) => true,
            (None, Some(other)) => other.start > symbol.start,
            (None, None) => ends_between(elf, symbol.start, svma).unwrap_or(true),
        };
        (svma, beyond)
    };
    Ok(unsized_ones.into_iter().map(is_beyond).collect())
}

/// Whether a function that starts at `start` has ended before `svma`, by its bytes. `None` if they cannot be read.
fn ends_between(elf: &Elf, start: u64, svma: u64) -> Option<bool> {
    let length = svma.checked_sub(start)?;
    if length > LONGEST {
        return Some(true);
    }
    let (offset, rest) = elf.file_offset(start)?;
    let code = elf.read(offset, length.min(rest)).ok()?;
    let boundaries = (start / ALIGNMENT + 1..=svma / ALIGNMENT).map(|block| block * ALIGNMENT);
    let is_end = |at: u64| {
        let before = &code[..(at - start).min(code.len() as u64) as usize];
        has_ended(before) && !leads_to_its_end(before)
    };
    Some(boundaries.into_iter().any(is_end))
}

/// Whether some jump in the code leads right behind it: a part of the same function is aligned there.
fn leads_to_its_end(code: &[u8]) -> bool {
    let leads = |after: usize, displacement: i64| after as i64 + displacement == code.len() as i64;
    (0..code.len()).any(|at| match code[at..] {
        [0x70..=0x7f | 0xeb, short, ..] => leads(at + 2, i64::from(short as i8)),
        [0x0f, 0x80..=0x8f, a, b, c, d, ..] => {
            leads(at + 6, i64::from(i32::from_le_bytes([a, b, c, d])))
        }
        _ => false,
    })
}

/// Whether code ends in a return or a jump, and nothing but filling after that.
fn has_ended(code: &[u8]) -> bool {
    let mut rest = code;
    loop {
        let is_filled = rest.len() < code.len();
        if ends_in_leave(rest) && (is_filled || rest.last() == Some(&0xc3)) {
            return true;
        }
        let filling = FILLINGS.iter().find_map(|filling| rest.strip_suffix(*filling));
        match filling.or_else(|| rest.strip_suffix(&[0x00])) {
            Some(before) => rest = before,
            None => return false,
        }
    }
}

/// `ret`, `jmp rel8`, `jmp rel32`; `ud2`, `hlt`
fn ends_in_leave(code: &[u8]) -> bool {
    let n = code.len();
    code.last() == Some(&0xc3)
        || code.last() == Some(&0xf4)
        || code.ends_with(&[0x0f, 0x0b])
        || (n >= 2 && code[n - 2] == 0xeb)
        || (n >= 5 && code[n - 5] == 0xe9)
}

/// Instructions of several bytes that do nothing, as assemblers fill with them (Intel SDM, volume 2B, NOP; binutils), the
/// longest first.
const FILLINGS: [&[u8]; 12] = [
    &[0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    &[0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    &[0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    &[0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    &[0x0f, 0x1f, 0x80, 0, 0, 0, 0],
    &[0x66, 0x0f, 0x1f, 0x44, 0, 0],
    &[0x0f, 0x1f, 0x44, 0, 0],
    &[0x0f, 0x1f, 0x40, 0],
    &[0x0f, 0x1f, 0],
    &[0x66, 0x90],
    &[0x90],
    &[0xcc],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_jumped_to_is_not_another_function() {
        // jne to behind; ret; filling
        assert!(leads_to_its_end(&[0x75, 4, 0xc3, 0x0f, 0x1f, 0x00]));
        assert!(!leads_to_its_end(&[0x75, 1, 0xc3, 0x0f, 0x1f, 0x00]));
        assert!(leads_to_its_end(&[0x0f, 0x85, 2, 0, 0, 0, 0xc3, 0x90]));
    }

    #[test]
    fn a_function_ends_where_filling_follows_a_return_or_a_jump() {
        for (code, ended) in [
            (&[0x55, 0xc3, 0x0f, 0x1f, 0x40, 0][..], true),
            (&[0x55, 0xc3, 0xcc, 0xcc], true),
            (&[0x55, 0xc3, 0, 0], true),
            (&[0x55, 0xc3], true),
            (&[0xeb, 0xf0, 0x66, 0x90], true),
            (&[0xe9, 1, 2, 3, 4, 0x90], true),
            (&[0x55, 0x66, 0x90], false),
            (&[0x55, 0x53], false),
            (&[0x48, 0x89, 0xe5, 0x90], false),
            (&[0xc3, 0x0f, 0x1f, 0x40, 0, 0x66, 0x90], true),
        ] {
            assert_eq!(has_ended(code), ended, "{code:x?}");
        }
    }
}
