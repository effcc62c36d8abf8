//! Code objects: what a frame runs.

use super::{
    lines::{LineFormat, LineTable},
    text::{TextLayout, kept_hash},
};
use crate::Function;
use crate::memory::{Memory, block, number32, number64, pointer};

/// Bytes of a line table at most: 64 KiB are some 10,000 lines.
const LONGEST_TABLE: usize = 64 << 10;
/// Of a `PyBytesObject`.
const BYTES_LENGTH: u64 = 16;
const BYTES_START: u64 = 32;

/// Where a version keeps what of its `PyCodeObject`, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeLayout {
    pub(super) file: u8,
    pub(super) name: u8,
    /// Since 3.11.
    pub(super) qualified_name: Option<u8>,
    pub(super) lines: u8,
    pub(super) first_line: u8,
    /// Since 3.12: no other code object of the process has ever had it, unless it is 0.
    pub(super) version: Option<u8>,
    /// Where the instructions begin; 0: they are an object of their own.
    pub(super) instructions: u8,
    pub(super) line_format: LineFormat,
    pub(super) text: TextLayout,
}

impl CodeLayout {
    /// A check against another code object at the same address: of its version, or of its name and where it begins. The kernel side
    /// computes the same for each frame.
    pub fn check(&self, memory: &dyn Memory, code: u64) -> Option<u32> {
        let first_line = number32(memory, code + u64::from(self.first_line))?;
        let version = match self.version {
            Some(at) => number32(memory, code + u64::from(at))?,
            None => 0,
        };
        let (file, name) = (self.file_of(memory, code)?, self.name_of(memory, code)?);
        // Names are freed and made again at the same addresses, too.
        let hash = if version == 0 { kept_hash(memory, name)? } else { 0 };
        let words = [u64::from(first_line) | u64::from(version) << 32, file, name, hash];
        Some((words.into_iter().fold(0, crate::mix) >> 32) as u32)
    }

    /// The function whose code is at `code`, if it is the one with `check`.
    pub fn function(&self, memory: &dyn Memory, code: u64, check: u32) -> Option<Function> {
        let function = self.read(memory, code)?;
        // After it was read, too: it may have been freed in between.
        (self.check(memory, code)? == check).then_some(function)
    }

    fn read(&self, memory: &dyn Memory, code: u64) -> Option<Function> {
        let name = match self.qualified_name {
            Some(at) => pointer(memory, code + u64::from(at))?,
            None => self.name_of(memory, code)?,
        };
        let first_line = number32(memory, code + u64::from(self.first_line))?;
        let table = pointer(memory, code + u64::from(self.lines))?;
        let length = number64(memory, table + BYTES_LENGTH)?;
        let bytes = block(memory, table + BYTES_START, length, LONGEST_TABLE)?;
        Some(Function {
            name: self.text.read(memory, name)?.into(),
            file: self.text.read(memory, self.file_of(memory, code)?)?.into(),
            first_line,
            lines: LineTable { format: self.line_format, first_line, bytes },
        })
    }

    fn file_of(&self, memory: &dyn Memory, code: u64) -> Option<u64> {
        pointer(memory, code + u64::from(self.file))
    }

    fn name_of(&self, memory: &dyn Memory, code: u64) -> Option<u64> {
        pointer(memory, code + u64::from(self.name))
    }
}
