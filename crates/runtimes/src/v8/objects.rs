//! Objects of the heap: tagged pointers, small numbers, and what an object is.

use super::layout::Layout;
use crate::memory::{Memory, block, bytes, number32, number64};

const WORD: u64 = 8;
/// Of an array: its length, and its first element.
const LENGTH: u64 = 8;
const ELEMENTS: u64 = 16;
/// Bytes of a table at most.
const LONGEST_TABLE: usize = 256 << 10;
const USER_BITS: u32 = 47;

/// The address of an object.
pub(super) type Object = u64;

/// What a word points to, weakly or not; `None`: it is a small number.
pub(super) fn untagged(word: u64) -> Option<Object> {
    (word & 1 != 0 && word >> USER_BITS == 0).then_some(word & !3)
}

/// The object that a field points to.
pub(super) fn object(memory: &dyn Memory, address: Object, field: u16) -> Option<Object> {
    untagged(number64(memory, address.checked_add(field.into())?)?)
}

pub(super) fn small(memory: &dyn Memory, address: Object, field: u16) -> Option<i32> {
    let word = number64(memory, address.checked_add(field.into())?)?;
    (word & 1 == 0).then_some((word >> 32) as u32).map(u32::cast_signed)
}

pub(super) fn int(memory: &dyn Memory, address: Object, field: u16) -> Option<u32> {
    number32(memory, address.checked_add(field.into())?)
}

/// An element of an array that has it.
pub(super) fn element(memory: &dyn Memory, array: Object, index: u32) -> Option<u64> {
    let length = small(memory, array, LENGTH as u16)?;
    if i64::from(index) >= i64::from(length) {
        return None;
    }
    number64(memory, array.checked_add(ELEMENTS + u64::from(index) * WORD)?)
}

/// What is in an array of bytes.
pub(super) fn table(memory: &dyn Memory, array: Object) -> Option<Vec<u8>> {
    let length = u64::try_from(small(memory, array, LENGTH as u16)?).ok()?;
    block(memory, array.checked_add(ELEMENTS)?, length, LONGEST_TABLE)
}

impl Layout {
    /// The instance type of an object.
    pub(super) fn type_of(&self, memory: &dyn Memory, address: Object) -> Option<u16> {
        let map = object(memory, address, 0)?;
        bytes(memory, map.checked_add(self.instance_type.into())?).map(u16::from_le_bytes)
    }
}
