//! The few shapes of DWARF expressions that unwind information uses in practice.

use gimli::{Encoding, Expression, Operation};

use super::Bytes;

/// `register + offset`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RegisterOffset {
    pub(crate) register: u16,
    pub(crate) offset: i64,
}

/// An address computed from one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    /// `register + offset`
    Direct(RegisterOffset),
    /// `*(register + offset) + then`
    Deref(RegisterOffset, i64),
}

/// The longest shape that is known has 8 operations (the procedure linkage table's); `plus_uconst` may follow.
const MAX_OPERATIONS: usize = 12;

fn operations(
    expression: Expression<Bytes<'_>>,
    encoding: Encoding,
) -> Option<Vec<Operation<Bytes<'_>>>> {
    let mut operations = Vec::new();
    let mut iter = expression.operations(encoding);
    while let Some(operation) = iter.next().ok()? {
        if operations.len() == MAX_OPERATIONS {
            return None;
        }
        operations.push(operation);
    }
    Some(operations)
}

/// `breg r n [plus_uconst m]… [deref [plus_uconst k]…]`
pub(crate) fn as_address(expression: Expression<Bytes<'_>>, encoding: Encoding) -> Option<Address> {
    let operations = operations(expression, encoding)?;
    let (first, rest) = operations.split_first()?;
    let Operation::RegisterOffset { register, offset, .. } = *first else { return None };
    let mut base = RegisterOffset { register: register.0, offset };
    let mut then = None;
    for operation in rest {
        match (operation, &mut then) {
            (Operation::PlusConstant { value }, None) => {
                base.offset = base.offset.checked_add(i64::try_from(*value).ok()?)?;
            }
            (Operation::PlusConstant { value }, Some(then)) => {
                *then = i64::checked_add(*then, i64::try_from(*value).ok()?)?;
            }
            (Operation::Deref { size: 8, space: false, .. }, None) => then = Some(0),
            _ => return None,
        }
    }
    Some(match then {
        None => Address::Direct(base),
        Some(then) => Address::Deref(base, then),
    })
}

/// A lazy-binding entry of `x86_64`'s procedure linkage table, which pushes once: `sp + base` before the instruction
/// that ends at `threshold` of the 16-byte entry, and 8 more after it.
///
/// `breg sp base; breg pc 0; lit15; and; lit threshold; ge; lit3; shl; plus`
pub(crate) fn as_plt(
    expression: Expression<Bytes<'_>>,
    encoding: Encoding,
    sp: u16,
    pc: u16,
) -> Option<(i64, u64)> {
    let operations = operations(expression, encoding)?;
    let [
        Operation::RegisterOffset { register: base_register, offset: base, .. },
        Operation::RegisterOffset { register: pc_register, offset: 0, .. },
        Operation::UnsignedConstant { value: 15 },
        Operation::And,
        Operation::UnsignedConstant { value: threshold },
        Operation::Ge,
        Operation::UnsignedConstant { value: 3 },
        Operation::Shl,
        Operation::Plus,
    ] = operations[..]
    else {
        return None;
    };
    (base_register.0 == sp && pc_register.0 == pc && threshold < 16).then_some((base, threshold))
}
