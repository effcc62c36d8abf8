//! Methods: what a frame runs.

use std::sync::Arc;

use super::{
    layout::{Layout, MethodLayout, SourceFile},
    lines::line_of,
};
use crate::memory::{Memory, block, bytes, number64, pointer};
use crate::{Line, Named};

/// Bytes of a name or signature. Generated classes have long ones.
const LONGEST: usize = 4 << 10;
/// Bytes of bytecode, and of a line table, of one method.
const LONGEST_TABLE: usize = 64 << 10;
/// In the flags of a `ConstMethod`.
const HAS_LINES: u8 = 1;
const SLOT: u64 = 8;

/// A method in memory, its parts at runtime addresses.
pub(super) struct Method<'m> {
    memory: &'m dyn Memory,
    layout: &'m MethodLayout,
    constant: u64,
    pool: u64,
    /// Bytes of bytecode, and indexes of name and signature.
    told: [u16; 3],
}

impl Layout {
    /// What an interpreted frame of the method at an address runs.
    pub(crate) fn interpreted(
        &self,
        memory: &dyn Memory,
        (address, check, bytecode): (u64, u32, u32),
    ) -> Option<Named> {
        let line = self.method(memory, address)?.line(bytecode)?;
        // Afterwards: its class may have been unloaded in between.
        (self.method(memory, address)?.check() == check).then(|| Named::Java([line].into()))
    }

    pub(super) fn method<'m>(&'m self, memory: &'m dyn Memory, address: u64) -> Option<Method<'m>> {
        let layout = &self.method;
        let const_method = pointer(memory, address.checked_add(layout.const_method.into())?)?;
        let told: [u8; 6] = bytes(memory, const_method + u64::from(layout.code_size))?;
        let told = std::array::from_fn(|at| u16::from_le_bytes([told[2 * at], told[2 * at + 1]]));
        let pool = pointer(memory, const_method + u64::from(layout.constants))?;
        Some(Method { memory, layout, constant: const_method, pool, told })
    }
}

impl Method<'_> {
    /// Against another method at the same address: the kernel side computes the same.
    pub(super) fn check(&self) -> u32 {
        let [size, name, signature] = self.told.map(u64::from);
        (crate::mix(self.constant, size | name << 16 | signature << 32) >> 32) as u32
    }

    /// Class and name, file, and the line of a bytecode.
    pub(super) fn line(&self, bytecode: u32) -> Option<Line> {
        let [_, name, signature] = self.told;
        let holder = pointer(self.memory, self.pool + u64::from(self.layout.holder))?;
        let class = pointer(self.memory, holder + u64::from(self.layout.klass_name))?;
        let class = class_name(&self.symbol(class)?);
        let name = self.symbol(self.slot(name)?)?;
        let signature = self.symbol(self.slot(signature)?)?;
        let function = format!("{class}.{name}");
        Some(Line {
            system_name: format!("{function}{signature}").into(),
            function: function.into(),
            file: self.file(holder).unwrap_or_default(),
            line: self.line_number(bytecode).unwrap_or(0),
        })
    }

    /// The file's name alone is kept.
    fn file(&self, holder: u64) -> Option<Arc<str>> {
        let at = match self.layout.source_file {
            SourceFile::InPool(at) => self.pool + u64::from(at),
            SourceFile::InKlass(at) => holder + u64::from(at),
        };
        let index = u16::from_le_bytes(bytes(self.memory, at)?);
        (index != 0).then(|| self.symbol(self.slot(index)?)).flatten().map(Into::into)
    }

    fn line_number(&self, bytecode: u32) -> Option<u32> {
        let flags: [u8; 1] = bytes(self.memory, self.constant + u64::from(self.layout.flags))?;
        if flags[0] & HAS_LINES == 0 {
            return None;
        }
        let start = self.constant + u64::from(self.layout.bytecodes) + u64::from(self.told[0]);
        // Nothing says how long it is, and the memory behind it may end.
        let table = [LONGEST_TABLE, 4 << 10, 256, 16]
            .into_iter()
            .find_map(|length| block(self.memory, start, length as u64, length))?;
        Some(line_of(&table, self.layout.numbers, bytecode))
    }

    /// An entry of the constant pool that is a symbol.
    fn slot(&self, index: u16) -> Option<u64> {
        let at = self.pool + u64::from(self.layout.pool) + u64::from(index) * SLOT;
        // The lowest bit is a tag.
        number64(self.memory, at).map(|slot| slot & !1)
    }

    fn symbol(&self, address: u64) -> Option<String> {
        let at = |offset: u16| address.checked_add(offset.into());
        let length = u16::from_le_bytes(bytes(self.memory, at(self.layout.symbol_length)?)?);
        let text = block(self.memory, at(self.layout.symbol_body)?, length.into(), LONGEST)?;
        Some(clean(&String::from_utf8_lossy(&text)))
    }
}

/// As it is written in the source: `com/shop/Cart$Item` is `com.shop.Cart$Item`. What a hidden class has for a number differs from run to
/// run.
fn class_name(name: &str) -> String {
    let end = ["+0x", "/0x"].iter().filter_map(|mark| name.find(mark)).min();
    name[..end.unwrap_or(name.len())].replace('/', ".")
}

/// A name of its owner's choosing must not break a line of text.
fn clean(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_called_as_in_its_source_without_the_number_of_a_hidden_one() {
        for (name, shown) in [
            ("com/shop/Cart$Item", "com.shop.Cart$Item"),
            ("Still$$Lambda+0x00007f1234", "Still$$Lambda"),
            ("a/Still$$Lambda$14/0x0000000800c03000", "a.Still$$Lambda$14"),
        ] {
            assert_eq!(class_name(name), shown);
        }
        assert_eq!(clean("a\nb"), "a\u{fffd}b");
    }
}
