//! Go's own function table (`runtime.pclntab`): where functions are, and how far sp moves in them.
//!
//! Layouts: Go 1.2, 1.16, 1.18 and 1.20 (`internal/abi/symtab.go`, `runtime/symtab.go`, `runtime/runtime2.go` of those
//! releases). Line and file tables are not read.

use std::cell::Cell;

/// What distinguishes the layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Go12,
    Go116,
    Go118,
    Go120,
}

/// A function's entry in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Function<'d> {
    /// Where the function starts; since Go 1.18 relative to the start of the text.
    pub(super) entry: u64,
    /// Bytes up to the next function.
    pub(super) len: u64,
    pub(super) name: &'d [u8],
    /// Where its table of stack heights is; 0 if it has none.
    pub(super) pcsp: u32,
    pub(super) flags: u8,
}

impl Function<'_> {
    /// Whether it is known to be written in assembly.
    pub(super) fn is_assembly(&self) -> bool {
        self.flags & FLAG_ASSEMBLY != 0
    }
}

/// `abi.FuncFlagTopFrame`: the function appears at the top of its stack (Go 1.17).
pub(super) const FLAG_TOP_FRAME: u8 = 1;
/// `abi.FuncFlagSPWrite`: the function sets sp to something its table cannot express (Go 1.17).
pub(super) const FLAG_SP_WRITE: u8 = 2;
/// `abi.FuncFlagAsm` (Go 1.17).
const FLAG_ASSEMBLY: u8 = 4;

/// The table.
#[derive(Debug)]
pub(super) struct Pclntab<'d> {
    version: Version,
    min_instruction: u64,
    /// `textStart` of the header, where it has one (Go 1.18 to 1.25); 0 otherwise.
    pub(super) header_text_start: u64,
    /// Functions, and one entry more that ends the last.
    pub(super) count: u32,
    names: &'d [u8],
    pctab: &'d [u8],
    functions: &'d [u8],
    /// Steps of stack heights that may still be read. Functions share tables, so their number bounds nothing.
    steps: Cell<u64>,
}

pub(super) const HEADER_LEN: usize = 8;

/// Whether bytes start like a table for a 64-bit little-endian machine.
pub(super) fn is_header(bytes: &[u8]) -> bool {
    version_of(bytes).is_some()
}

fn version_of(bytes: &[u8]) -> Option<Version> {
    let header = bytes.get(..HEADER_LEN)?;
    let version = match u32_at(header, 0)? {
        0xffff_fffb => Version::Go12,
        0xffff_fffa => Version::Go116,
        0xffff_fff0 => Version::Go118,
        0xffff_fff1 => Version::Go120,
        _ => return None,
    };
    // two zeros, the smallest instruction (1 on x86_64, 4 on aarch64), the pointer size
    let plausible = header[4..6] == [0, 0] && matches!(header[6], 1 | 4) && header[7] == 8;
    plausible.then_some(version)
}

impl<'d> Pclntab<'d> {
    pub(super) fn parse(data: &'d [u8]) -> Option<Self> {
        let version = version_of(data)?;
        let word = |index: usize| u64_at(data, HEADER_LEN + 8 * index);
        let part = |index: usize| data.get(usize::try_from(word(index)?).ok()?..);
        let count = u32::try_from(word(0)?).ok()?;
        let (names, pctab, functions, header_text_start) = match version {
            Version::Go12 => (data, data, data.get(HEADER_LEN + 8..)?, 0),
            Version::Go116 => (part(2)?, part(5)?, part(6)?, 0),
            Version::Go118 | Version::Go120 => (part(3)?, part(6)?, part(7)?, word(2)?),
        };
        let table = Self {
            version,
            min_instruction: u64::from(data[6]),
            header_text_start,
            count,
            names,
            pctab,
            functions,
            steps: Cell::new(4 * data.len() as u64),
        };
        let entries = u64::from(count).checked_mul(2 * table.field_len())? + table.field_len();
        (entries <= functions.len() as u64).then_some(table)
    }

    /// Whether entries are offsets from the start of the text.
    pub(super) fn is_relative(&self) -> bool {
        self.version >= Version::Go118
    }

    fn field_len(&self) -> u64 {
        if self.is_relative() { 4 } else { 8 }
    }

    fn field(&self, index: u64) -> Option<u64> {
        let offset = usize::try_from(index.checked_mul(self.field_len())?).ok()?;
        if self.is_relative() {
            u32_at(self.functions, offset).map(u64::from)
        } else {
            u64_at(self.functions, offset)
        }
    }

    /// Where function `index` starts; for `index == count` where the last one ends.
    pub(super) fn entry(&self, index: u32) -> Option<u64> {
        self.field(2 * u64::from(index))
    }

    pub(super) fn function(&self, index: u32) -> Option<Function<'d>> {
        let entry = self.entry(index)?;
        let offset = usize::try_from(self.field(2 * u64::from(index) + 1)?).ok()?;
        // Go 1.2 counts these offsets from the start of the whole table.
        let record = match self.version {
            Version::Go12 => self.names.get(offset..)?,
            _ => self.functions.get(offset..)?,
        };
        let entry_len = self.field_len() as usize;
        let name = self.names.get(u32_at(record, entry_len)? as usize..)?;
        let name_len = name.iter().take(256).position(|&byte| byte == 0).unwrap_or(0);
        let flags_at = match self.version {
            Version::Go12 => None,
            Version::Go118 => Some(37),
            Version::Go116 | Version::Go120 => Some(41),
        };
        let flags = flags_at.map_or(Some(0), |at: usize| record.get(at).copied())?;
        let pcsp = u32_at(record, entry_len + 12)?;
        let len = self.entry(index + 1)?.checked_sub(entry)?;
        Some(Function { entry, len, name: &name[..name_len], pcsp, flags })
    }

    /// The stack heights of a function: (offset from its entry at which a height ends, bytes that sp is below its
    /// value at the entry).
    pub(super) fn stack_heights(&self, function: &Function<'_>) -> StackHeights<'d, '_> {
        let bytes = match function.pcsp {
            0 => &[],
            offset => self.pctab.get(offset as usize..).unwrap_or_default(),
        };
        StackHeights {
            bytes,
            height: -1,
            end: 0,
            first: true,
            min_instruction: self.min_instruction,
            steps: &self.steps,
        }
    }
}

/// See [`Pclntab::stack_heights`]. The encoding is that of every pc-value table since Go 1.2: pairs of a zig-zag value
/// difference and a pc difference, both LEB128, ended by a value difference of 0.
#[derive(Debug)]
pub(super) struct StackHeights<'d, 't> {
    bytes: &'d [u8],
    height: i64,
    end: u64,
    first: bool,
    min_instruction: u64,
    steps: &'t Cell<u64>,
}

impl Iterator for StackHeights<'_, '_> {
    type Item = (u64, i64);

    fn next(&mut self) -> Option<Self::Item> {
        self.steps.set(self.steps.get().checked_sub(1)?);
        let difference = self.varint()?;
        if difference == 0 && !self.first {
            return None;
        }
        self.first = false;
        let difference = i64::from(difference >> 1) ^ -i64::from(difference & 1);
        self.height += difference;
        self.end += u64::from(self.varint()?) * self.min_instruction;
        Some((self.end, self.height))
    }
}

impl StackHeights<'_, '_> {
    fn varint(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            value |= u32::from(byte & 0x7f) << shift.min(31);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}
