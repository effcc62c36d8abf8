//! Functions: what a frame runs.

use std::sync::Arc;

use super::layout::Layout;
use super::objects::{Object, int, object, small, table, untagged};
use super::positions::position_at;
use crate::memory::{Memory, number64};
use crate::{Line, Named};

/// Of a function: what it is run by; a `BytecodeArray`, what has one, or baseline code.
const RUN_BY: u16 = 8;
/// Of a `BytecodeArray`: its length in bytes.
pub(super) const BYTECODE_COUNT: u16 = 8;
/// Of `InterpreterData`.
const BYTECODES_OF_DATA: u16 = 8;
/// Of a scope: its slots, and the one with the number of its variables that are kept for others.
const SLOTS: u64 = 8;
const SLOT: u64 = 8;
const VARIABLES: u64 = 2;
/// So many variables and more are in a table of their own.
const IN_TABLE: u64 = 75;
/// Slots after the variables in which a name may be.
const NAME_SLOTS: u64 = 5;
const NOT_STRINGS: u16 = 0x80;
const ANONYMOUS: &str = "(anonymous)";
const FILE_URL: &str = "file://";

/// A function of a script, at the address of its `SharedFunctionInfo`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    pub(super) shared: Object,
    pub(super) script: Object,
    /// What tells it from all others, wherever they are.
    pub(super) hash: u64,
}

impl Layout {
    /// What an interpreted frame of a function runs at an offset in its bytecode.
    pub(crate) fn interpreted(
        &self,
        memory: &dyn Memory,
        (shared, check, offset): (u64, u32, u32),
    ) -> Option<Named> {
        let function = self.function(memory, shared)?;
        let at = self.bytecodes(memory, shared).map(|bytecodes| (bytecodes, offset));
        let line = self.line_in_bytecode(memory, &function, at);
        // Afterwards: it may have been freed or moved in between.
        let hash = self.function(memory, shared)?.hash;
        ((hash >> 32) as u32 == check).then(|| Named::JavaScript([line].into()))
    }

    /// `None`: there is none of a script.
    pub(super) fn function(&self, memory: &dyn Memory, shared: Object) -> Option<Function> {
        let script = object(memory, shared, self.function.script)?;
        if self.type_of(memory, script)? != self.script.kind {
            return None;
        }
        let literal = int(memory, shared, self.function.literal)?;
        let id = small(memory, script, self.script.id)?.cast_unsigned();
        let hash = crate::mix(0, u64::from(literal) | u64::from(id) << 32);
        Some(Function { shared, script, hash })
    }

    /// Name and file, at the line of a character of the source.
    pub(super) fn line_of(
        &self,
        memory: &dyn Memory,
        function: &Function,
        offset: Option<u32>,
    ) -> Line {
        let name = self.name(memory, function.shared).filter(|name| !name.is_empty());
        let file = object(memory, function.script, self.script.name)
            .and_then(|name| self.text(memory, name));
        let line = offset.map(|offset| self.line(memory, function.script, offset));
        Line {
            function: name.map_or_else(|| ANONYMOUS.into(), Arc::from),
            file: file.map_or_else(Arc::default, |file| {
                file.strip_prefix(FILE_URL).unwrap_or(&file).into()
            }),
            line: line.unwrap_or(0),
            ..Line::default()
        }
    }

    /// `at`: bytecode, and an offset in it.
    pub(super) fn line_in_bytecode(
        &self,
        memory: &dyn Memory,
        function: &Function,
        at: Option<(Object, u32)>,
    ) -> Line {
        let position = at.and_then(|(bytecodes, offset)| {
            let count = small(memory, bytecodes, BYTECODE_COUNT)?;
            if i64::from(offset) >= i64::from(count) {
                return None;
            }
            let positions = object(memory, bytecodes, self.function.bytecode_positions)?;
            position_at(&table(memory, positions)?, self.positions, offset)
        });
        self.line_of(memory, function, position.map(|position| position.offset))
    }

    /// The bytecode of a function, also where it was compiled from that.
    pub(super) fn bytecodes(&self, memory: &dyn Memory, shared: Object) -> Option<Object> {
        self.bytecodes_behind(memory, object(memory, shared, RUN_BY)?)
    }

    pub(super) fn bytecodes_behind(&self, memory: &dyn Memory, from: Object) -> Option<Object> {
        let mut at = from;
        for _ in 0..3 {
            let kind = self.type_of(memory, at)?;
            if kind == self.function.bytecodes_type {
                return Some(at);
            }
            at = if kind == self.code.kind {
                object(memory, at, self.code.deopt)?
            } else if kind == self.function.data_type {
                object(memory, at, BYTECODES_OF_DATA)?
            } else {
                return None;
            };
        }
        None
    }

    fn name(&self, memory: &dyn Memory, shared: Object) -> Option<String> {
        let named = object(memory, shared, self.function.name)?;
        let kind = self.type_of(memory, named)?;
        if kind < NOT_STRINGS {
            return self.text(memory, named);
        }
        (kind == self.function.scope_type).then(|| self.name_in_scope(memory, named)).flatten()
    }

    /// After the variables: the function's own name, or what it was taken for where it was made.
    fn name_in_scope(&self, memory: &dyn Memory, scope: Object) -> Option<String> {
        let slot = |index: u64| number64(memory, scope.checked_add(SLOTS + index * SLOT)?);
        let count = u64::from((slot(VARIABLES)? >> 32) as u32);
        let taken = if count < IN_TABLE { count.checked_mul(2)? } else { count + 1 };
        let after = u64::from(self.function.first_variable) + taken;
        let strings = (after..after + NAME_SLOTS).filter_map(|index| {
            let object = untagged(slot(index)?)?;
            self.text(memory, object)
        });
        strings.into_iter().find(|name| !name.is_empty())
    }
}
