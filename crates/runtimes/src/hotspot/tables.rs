//! The machine's tables of its own fields and types: `VMStructEntry` and `VMTypeEntry` (src/hotspot/share/runtime/vmStructs.hpp), the same
//! since JDK 6.

use std::collections::HashMap;

use crate::memory::{Memory, block, bytes, number64, pointer};

/// Entries; JDK 17 has 788 fields and 700 types.
const MOST: usize = 4096;
const FIELD_BYTES: usize = 48;
const TYPE_BYTES: usize = 40;
/// Bytes of a name. Longer ones are of templates that are not looked for.
const LONGEST_NAME: usize = 64;
const AT_ONCE: usize = 64;

/// A field of a type, or a static one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// Bytes from the start of its object.
    At { offset: u64, is_short: bool },
    /// Runtime address.
    Static(u64),
}

/// The type of a field of 16 bits with a sign.
const SHORT: &str = "int16_t";

/// What the tables of a machine say.
#[derive(Debug, Default)]
pub(super) struct Tables {
    fields: HashMap<(String, String), Field>,
    sizes: HashMap<String, u64>,
}

impl Tables {
    /// `fields` and `types`: runtime addresses of the pointers to the tables. `None`: they are not there, or damaged.
    pub(super) fn read(memory: &dyn Memory, fields: u64, types: u64) -> Option<Self> {
        let mut tables = Self::default();
        for entry in entries::<FIELD_BYTES>(memory, pointer(memory, fields)?)? {
            // typeName, fieldName, typeString, isStatic, offset, address
            let [kind, name, of, is_static, offset, address] = words(&entry);
            let (Some(kind), Some(name)) = (text(memory, kind), text(memory, name)) else {
                continue;
            };
            let is_static = is_static & 0xffff_ffff != 0;
            let is_short = || text(memory, of).is_some_and(|of| of == SHORT);
            let field = if is_static {
                Field::Static(address)
            } else {
                Field::At { offset, is_short: is_short() }
            };
            tables.fields.insert((kind, name), field);
        }
        for entry in entries::<TYPE_BYTES>(memory, pointer(memory, types)?)? {
            // typeName, superclassName, isOopType and isIntegerType, isUnsigned, size
            let [name, _, _, _, size] = words(&entry);
            if let Some(name) = text(memory, name) {
                tables.sizes.insert(name, size);
            }
        }
        Some(tables)
    }

    /// Where a field is in its object, of the first of these that there is.
    pub(super) fn offset(&self, names: &[(&str, &str)]) -> Option<u64> {
        names.iter().find_map(|name| match self.field(name)? {
            Field::At { offset, .. } => Some(offset),
            Field::Static(_) => None,
        })
    }

    /// The runtime address of a static field.
    pub(super) fn address(&self, kind: &str, name: &str) -> Option<u64> {
        match self.field(&(kind, name))? {
            Field::Static(address) => Some(address),
            Field::At { .. } => None,
        }
    }

    /// Whether a field is a number of 16 bits.
    pub(super) fn is_short(&self, kind: &str, name: &str) -> bool {
        matches!(self.field(&(kind, name)), Some(Field::At { is_short: true, .. }))
    }

    /// Bytes of an object of a type.
    pub(super) fn size(&self, kind: &str) -> Option<u64> {
        self.sizes.get(kind).copied()
    }

    fn field(&self, (kind, name): &(&str, &str)) -> Option<Field> {
        self.fields.get(&((*kind).to_owned(), (*name).to_owned())).copied()
    }
}

/// The entries of a table up to the one without a name. `None`: nothing ends it.
fn entries<const N: usize>(memory: &dyn Memory, table: u64) -> Option<Vec<[u8; N]>> {
    let mut entries: Vec<[u8; N]> = Vec::new();
    while entries.len() < MOST {
        let at = table.checked_add((entries.len() * N) as u64)?;
        // The table may end where its memory does.
        let piece = (block(memory, at, (AT_ONCE * N) as u64, AT_ONCE * N))
            .or_else(|| block(memory, at, N as u64, N))?;
        for entry in piece.as_chunks::<N>().0 {
            if entry.starts_with(&[0; 8]) {
                return Some(entries);
            }
            entries.push(*entry);
        }
    }
    None
}

fn words<const N: usize, const W: usize>(entry: &[u8; N]) -> [u64; W] {
    let words = entry.as_chunks::<8>().0;
    std::array::from_fn(|at| words.get(at).map_or(0, |word| u64::from_le_bytes(*word)))
}

/// A text that ends with a zero.
fn text(memory: &dyn Memory, address: u64) -> Option<String> {
    if let Some(bytes) = bytes::<LONGEST_NAME>(memory, address) {
        let end = bytes.iter().position(|byte| *byte == 0)?;
        return String::from_utf8(bytes[..end].into()).ok();
    }
    // What is mapped ends there.
    let mut text = Vec::new();
    while text.len() < LONGEST_NAME {
        let word = number64(memory, address.checked_add(text.len() as u64)?)?.to_le_bytes();
        let piece = word.split(|byte| *byte == 0).next().unwrap_or_default();
        text.extend_from_slice(piece);
        if piece.len() < word.len() {
            return String::from_utf8(text).ok();
        }
    }
    None
}
