//! What the dynamic section tells of an image whose section headers are stripped: where tables are that the dynamic linker
//! reads. They stand in for the sections that have them.
//!
//! Source of the layout: System V ABI, chapter "Dynamic Linking"; `DT_GNU_HASH` as binutils writes it.

use object::elf;
use object::{LittleEndian, ReadRef, pod};

use super::{Image, Section};

/// Linkers write some thirty entries.
const MAX_ENTRIES: u64 = 1024;
const ENTRY: u64 = size_of::<elf::Dyn64<LittleEndian>>() as u64;
/// A library with a million symbols has half a million buckets, and chains of a few words.
const MAX_BUCKET_BYTES: u64 = 4 << 20;
const MAX_CHAIN_BYTES: u64 = 4096;
const SYMBOL: u64 = size_of::<elf::Sym64<LittleEndian>>() as u64;
/// Header of `DT_GNU_HASH`: the numbers of buckets, of the first symbol that is in it, and of words of the Bloom filter; a shift.
const GNU_HASH_HEADER: u64 = 16;

/// What an entry says, if there is one; else 0, which is the place of no table.
struct Entries<'d>(&'d [elf::Dyn64<LittleEndian>]);

impl Entries<'_> {
    fn value(&self, tag: u32) -> u64 {
        let has_tag =
            |entry: &&elf::Dyn64<LittleEndian>| entry.d_tag.get(LittleEndian) == tag.into();
        self.0.iter().find(has_tag).map_or(0, |entry| entry.d_val.get(LittleEndian))
    }
}

impl<'d, R: ReadRef<'d>> Image<'d, R> {
    /// The tables of the dynamic linker, by the names that their sections have.
    pub(super) fn dynamic_sections(&self) -> Vec<Section<'d>> {
        let Some(entries) = self.dynamic_entries() else { return Vec::new() };
        let symbols = entries.value(elf::DT_SYMTAB);
        let gnu_hash = entries.value(elf::DT_GNU_HASH);
        let sysv_hash = entries.value(elf::DT_HASH);
        // SysV: the numbers of buckets and of symbols.
        let symbol_count = self
            .word(sysv_hash, 1)
            .or_else(|| self.symbols_in_gnu_hash(gnu_hash))
            .map_or(0, u64::from);
        let tables: [(&[u8], u64, u64); 4] = [
            (b".dynsym", symbols, symbol_count * SYMBOL),
            (b".dynstr", entries.value(elf::DT_STRTAB), entries.value(elf::DT_STRSZ)),
            (b".rela.plt", entries.value(elf::DT_JMPREL), entries.value(elf::DT_PLTRELSZ)),
            // Nothing says where it ends; what its words point to is checked by those who read it.
            (b".gnu.hash", gnu_hash, self.place_from(gnu_hash).map_or(0, |place| place.len as u64)),
        ];
        tables
            .into_iter()
            .filter(|(_, address, size)| *address != 0 && *size != 0)
            .filter_map(|(name, address, size)| {
                let place = self.place_from(address)?;
                (size <= place.len as u64)
                    .then(|| Section::without_header(name, address, (place.file_offset, size)))
            })
            .collect()
    }

    fn dynamic_entries(&self) -> Option<Entries<'d>> {
        let address = self.segment_address(elf::PT_DYNAMIC)?;
        let bytes = self.bytes_up_to(address, MAX_ENTRIES * ENTRY)?;
        let (entries, _) = pod::slice_from_bytes(bytes, bytes.len() / ENTRY as usize).ok()?;
        let is_end =
            |entry: &elf::Dyn64<LittleEndian>| entry.d_tag.get(LittleEndian) == elf::DT_NULL.into();
        let end = entries.iter().position(is_end).unwrap_or(entries.len());
        Some(Entries(&entries[..end]))
    }

    /// One more than the number of the last symbol: the highest that a bucket begins with, and on to the end of its chain.
    fn symbols_in_gnu_hash(&self, table: u64) -> Option<u32> {
        let [buckets, first, filters] =
            [self.word(table, 0)?, self.word(table, 1)?, self.word(table, 2)?];
        let buckets_at = table.checked_add(GNU_HASH_HEADER + 8 * u64::from(filters))?;
        let bucket_bytes = Some(4 * u64::from(buckets)).filter(|len| *len <= MAX_BUCKET_BYTES)?;
        let bytes = self.bytes_at(buckets_at, bucket_bytes)?;
        let words = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
        let Some(last) = words.max().filter(|last| *last >= first) else { return Some(first) };
        let chains_at = buckets_at.checked_add(bucket_bytes)?;
        let chain =
            self.bytes_up_to(chains_at.checked_add(4 * u64::from(last - first))?, MAX_CHAIN_BYTES)?;
        let length = chain.as_chunks::<4>().0.iter().position(|word| word[0] & 1 != 0)?;
        last.checked_add(u32::try_from(length).ok()?)?.checked_add(1)
    }

    /// The file's bytes from `svma` on: `most` of them, or those to the end of the segment.
    fn bytes_up_to(&self, svma: u64, most: u64) -> Option<&'d [u8]> {
        let place = self.place_from(svma)?;
        self.file_bytes(place.file_offset, most.min(place.len as u64))
    }

    fn word(&self, table: u64, index: u64) -> Option<u32> {
        let at = Some(table).filter(|table| *table != 0)?.checked_add(4 * index)?;
        self.bytes_at(at, 4)?.try_into().ok().map(u32::from_le_bytes)
    }
}
