//! `.gnu_debugdata`: a symbol table of the functions that `.dynsym` lacks, as an ELF file
//! compressed with xz (GDB manual, "Debugging information in a special section").

use std::io::Read;
use std::rc::Rc;

use lzma_rust2::XzReader;

use super::Elf;
use crate::error::{Error, Result};

/// Decoder memory: xz's own default preset asks for a dictionary of 8 MiB.
const DECODER_KIB: u32 = 16 << 10;

impl Elf {
    /// The embedded ELF file, if there is one; at most `limit` bytes of it.
    pub(crate) fn mini_debug(&self, limit: u64) -> Result<Option<Elf>> {
        let Some(section) = self.section(".gnu_debugdata") else { return Ok(None) };
        if section.size > limit {
            return Err(Error::OverBudget(".gnu_debugdata"));
        }
        let packed = self.sequential(section.offset)?.take(section.size);
        let reader = XzReader::new_mem_limit(packed, false, DECODER_KIB);
        let mut out = Vec::new();
        reader.take(limit + 1).read_to_end(&mut out)?;
        if out.len() as u64 > limit {
            return Err(Error::OverBudget(".gnu_debugdata"));
        }
        Elf::parse(Rc::new(out)).map(Some)
    }
}
