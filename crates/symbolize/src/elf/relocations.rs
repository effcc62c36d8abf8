//! `SHT_RELA` entries, visited in one streaming pass.

use object::LittleEndian as LE;
use object::elf::{self, Rela64};
use object::pod;

use super::{Elf, Section};
use crate::error::{Error, Result};
use crate::input::read_exact_at;

const ENTRY: u64 = size_of::<Rela64<LE>>() as u64;
const CHUNK_ENTRIES: u64 = 4096;
/// A large position-independent browser has about 3 million.
const MAX_ENTRIES: u64 = 16 << 20;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Relocation {
    /// The stated virtual address that is filled.
    pub(crate) address: u64,
    /// Index in the table's linked symbol table; 0 is none.
    pub(crate) symbol: u32,
    pub(crate) addend: i64,
}

impl Elf {
    pub(crate) fn relocation_tables(&self) -> impl Iterator<Item = &Section> {
        self.sections().iter().filter(|s| s.kind == elf::SHT_RELA && s.has_bytes())
    }

    pub(crate) fn for_each_relocation(
        &self,
        table: &Section,
        mut visit: impl FnMut(Relocation),
    ) -> Result<()> {
        let count = (table.size / ENTRY).min(MAX_ENTRIES);
        let mut buffer = vec![0; (CHUNK_ENTRIES.min(count) * ENTRY) as usize];
        let mut index = 0;
        while index < count {
            let n = (count - index).min(CHUNK_ENTRIES);
            let at = (index * ENTRY)
                .checked_add(table.offset)
                .ok_or(Error::Malformed("relocation offset"))?;
            let chunk = &mut buffer[..(n * ENTRY) as usize];
            read_exact_at(&**self.source(), chunk, at)?;
            let (entries, _) = pod::slice_from_bytes::<Rela64<LE>>(chunk, n as usize)
                .map_err(|()| Error::Malformed("relocations"))?;
            for entry in entries {
                visit(Relocation {
                    address: entry.r_offset.get(LE),
                    symbol: (entry.r_info.get(LE) >> 32) as u32,
                    addend: entry.r_addend.get(LE),
                });
            }
            index += n;
        }
        Ok(())
    }
}
