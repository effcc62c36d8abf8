//! `.gopclntab`: functions, and the tables that map a pc to file, line and other values.

use gimli::Reader;

use crate::elf::Elf;
use crate::error::{Error, Result};
use crate::paged::SectionReader;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Go 1.16 and 1.17: entries are addresses.
    Go116,
    /// Go 1.18 and 1.19: entries are offsets from the text start.
    Go118,
    /// Go 1.20 and later: `_func` has a start line.
    Go120,
}

/// `runtime.pcHeader`; offsets are in bytes from its start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) version: Version,
    /// Instruction alignment: pc deltas count it.
    quantum: u64,
    functions: u64,
    text_start: u64,
    names: u64,
    units: u64,
    files: u64,
    pc_values: u64,
    table: u64,
}

impl Header {
    pub(crate) fn read(bytes: &SectionReader) -> Result<Self> {
        let version = match read_u32(bytes, 0)? {
            0xffff_fffa => Version::Go116,
            0xffff_fff0 => Version::Go118,
            0xffff_fff1 => Version::Go120,
            _ => return Err(Error::Unsupported("Go table version")),
        };
        let [pad1, pad2, quantum, pointer] = read_u32(bytes, 4)?.to_le_bytes();
        if (pad1, pad2, pointer) != (0, 0, 8) || !matches!(quantum, 1 | 2 | 4) {
            return Err(Error::Malformed("Go table header"));
        }
        let word = |index: u64| read_u64(bytes, 8 + index * 8);
        // Go 1.18 inserted the text start before the offsets.
        let shift = u64::from(version != Version::Go116);
        Ok(Self {
            version,
            quantum: u64::from(quantum),
            functions: word(0)?,
            text_start: if shift == 1 { word(2)? } else { 0 },
            names: word(2 + shift)?,
            units: word(3 + shift)?,
            files: word(4 + shift)?,
            pc_values: word(5 + shift)?,
            table: word(6 + shift)?,
        })
    }

    /// The text start that the header states (Go 1.18 to 1.25, 0 if it is relocated), else the start
    /// of `.text`, which is it unless C code was linked in front. What stands in for `.text` starts before it.
    pub(crate) fn text_start(&self, elf: &Elf) -> Option<u64> {
        let stated = (self.text_start != 0).then_some(self.text_start);
        let section = || elf.section(".text").filter(|_| elf.has_headers());
        stated.or_else(|| section().map(|s| s.address))
    }
}

/// A function's record, `runtime._func`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    /// Stated address of its first instruction.
    pub(crate) entry: u64,
    pub(crate) name: u32,
    pc_file: u32,
    pc_line: u32,
    pcdata_count: u32,
    unit: u32,
    funcdata_count: u8,
    /// Offset of the arrays that follow the record.
    arrays: u64,
}

pub(crate) struct PcLnTab {
    bytes: SectionReader,
    header: Header,
    text: u64,
}

impl PcLnTab {
    pub(crate) fn new(bytes: SectionReader, header: Header, text: Option<u64>) -> Result<Self> {
        let text = match header.version {
            Version::Go116 => 0,
            _ => text.ok_or(Error::Malformed("Go text start"))?,
        };
        let size = 2 * if header.version == Version::Go116 { 8 } else { 4 };
        let end = header.functions.checked_mul(size).and_then(|len| len.checked_add(header.table));
        if header.functions == 0 || end.is_none_or(|end| end > bytes.len() as u64) {
            return Err(Error::Malformed("Go function table"));
        }
        Ok(Self { bytes, header, text })
    }

    pub(crate) fn version(&self) -> Version {
        self.header.version
    }

    /// (entry address, offset of the record in the table) of a function by index; the entry at the
    /// count itself is the end of the last one.
    fn entry(&self, index: u64) -> Result<(u64, u64)> {
        if self.header.version == Version::Go116 {
            let at = self.header.table + index * 16;
            return Ok((read_u64(&self.bytes, at)?, read_u64(&self.bytes, at + 8)?));
        }
        let at = self.header.table + index * 8;
        let offset = read_u32(&self.bytes, at)?;
        Ok((self.text.saturating_add(u64::from(offset)), u64::from(read_u32(&self.bytes, at + 4)?)))
    }

    /// The address of an entry alone; the table ends with an address without record.
    fn start(&self, index: u64) -> Result<u64> {
        if self.header.version == Version::Go116 {
            return read_u64(&self.bytes, self.header.table + index * 16);
        }
        let offset = read_u32(&self.bytes, self.header.table + index * 8)?;
        Ok(self.text.saturating_add(u64::from(offset)))
    }

    /// The function around `svma`.
    pub(crate) fn function(&self, svma: u64) -> Result<Option<Function>> {
        let count = self.header.functions;
        if svma < self.start(0)? || svma >= self.start(count)? {
            return Ok(None);
        }
        let (mut low, mut high) = (0, count);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.start(middle)? <= svma {
                low = middle;
            } else {
                high = middle;
            }
        }
        let (entry, record) = self.entry(low)?;
        self.record(entry, record).map(Some)
    }

    fn record(&self, entry: u64, offset: u64) -> Result<Function> {
        let start = self.header.table.checked_add(offset).ok_or(Error::Malformed("Go function"))?;
        // the entry is a pointer before Go 1.18, an offset of 4 bytes since
        let fields =
            start.saturating_add(if self.header.version == Version::Go116 { 8 } else { 4 });
        let word = |index: u64| read_u32(&self.bytes, fields.saturating_add(index * 4));
        let last = if self.header.version == Version::Go120 { 9 } else { 8 };
        Ok(Function {
            entry,
            name: word(0)?,
            pc_file: word(4)?,
            pc_line: word(5)?,
            pcdata_count: word(6)?,
            unit: word(7)?,
            funcdata_count: word(last)?.to_le_bytes()[3],
            arrays: fields.saturating_add((last + 1) * 4),
        })
    }

    pub(crate) fn name(&self, offset: u32) -> Result<String> {
        string(&self.bytes, self.header.names.saturating_add(u64::from(offset)))
    }

    /// File and line at `pc`; line 0 is unknown.
    pub(crate) fn position(&self, function: &Function, pc: u64) -> Result<(String, u32)> {
        let line = self.value(function, function.pc_line, pc)?.and_then(|l| u32::try_from(l).ok());
        let file = self.value(function, function.pc_file, pc)?.and_then(|f| u32::try_from(f).ok());
        let Some(file) = file else { return Ok((String::new(), line.unwrap_or(0))) };
        let index = u64::from(function.unit) + u64::from(file);
        let offset = read_u32(&self.bytes, self.header.units.saturating_add(index * 4))?;
        if offset == u32::MAX {
            return Ok((String::new(), line.unwrap_or(0)));
        }
        let file = string(&self.bytes, self.header.files.saturating_add(u64::from(offset)))?;
        Ok((file, line.unwrap_or(0)))
    }

    /// The value at `pc` of a function's `PCDATA` table.
    pub(crate) fn pcdata(&self, function: &Function, table: u32, pc: u64) -> Result<Option<i32>> {
        if table >= function.pcdata_count {
            return Ok(None);
        }
        let at = function.arrays.saturating_add(u64::from(table) * 4);
        self.value(function, read_u32(&self.bytes, at)?, pc)
    }

    /// The offset of a function's `FUNCDATA` in `go:func.*` (Go 1.18 and later).
    pub(crate) fn funcdata(&self, function: &Function, index: u32) -> Result<Option<u32>> {
        if index >= u32::from(function.funcdata_count) {
            return Ok(None);
        }
        let slot = u64::from(function.pcdata_count) + u64::from(index);
        let offset = read_u32(&self.bytes, function.arrays.saturating_add(slot * 4))?;
        Ok((offset != u32::MAX).then_some(offset))
    }

    /// Steps through a pc-value table: pairs of a zig-zag value delta, from -1, and a pc delta. A
    /// value delta of 0 ends the table, except in the first pair.
    fn value(&self, function: &Function, table: u32, target: u64) -> Result<Option<i32>> {
        if table == 0 {
            return Ok(None);
        }
        let mut bytes = at(&self.bytes, self.header.pc_values.saturating_add(u64::from(table)))?;
        let (mut pc, mut value) = (function.entry, -1i32);
        let mut first = true;
        loop {
            let delta = bytes.read_uleb128()? as u32;
            if delta == 0 && !first {
                return Ok(None);
            }
            first = false;
            let signed = (delta >> 1).cast_signed() ^ -(delta & 1).cast_signed();
            value = value.wrapping_add(signed);
            let step = u64::from(bytes.read_uleb128()? as u32) * self.header.quantum;
            pc = pc.saturating_add(step);
            if target < pc {
                return Ok(Some(value));
            }
        }
    }
}

fn at(bytes: &SectionReader, offset: u64) -> Result<SectionReader> {
    let mut bytes = bytes.clone();
    let offset = usize::try_from(offset).map_err(|_| Error::Malformed("Go table offset"))?;
    bytes.skip(offset)?;
    Ok(bytes)
}

pub(crate) fn read_u32(bytes: &SectionReader, offset: u64) -> Result<u32> {
    Ok(at(bytes, offset)?.read_u32()?)
}

fn read_u64(bytes: &SectionReader, offset: u64) -> Result<u64> {
    Ok(at(bytes, offset)?.read_u64()?)
}

fn string(bytes: &SectionReader, offset: u64) -> Result<String> {
    let text = at(bytes, offset)?.read_null_terminated_slice()?;
    Ok(text.to_string_lossy()?.into_owned())
}
