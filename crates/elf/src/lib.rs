//! What the dynamic section of an ELF image tells where section headers are stripped (`sstrip`, `llvm-strip --strip-sections`): the
//! places of tables that the dynamic linker reads, which nothing can strip.
//!
//! It opens and reads nothing itself, and does not look into the tables. All input is hostile: what is read is bounded.
//!
//! Source of the layout: System V ABI, chapter "Dynamic Linking"; `DT_GNU_HASH` as binutils writes it.

mod symbol;

use std::borrow::Cow;

use object::elf;

pub use symbol::Symbol;

/// Tag and value, a word each.
const ENTRY: usize = 16;
/// Linkers write some thirty entries.
const MAX_BYTES: u64 = 1024 * ENTRY as u64;
/// A library with a million symbols has half a million buckets, and chains of a few words.
const MAX_BUCKET_BYTES: u64 = 4 << 20;
const MAX_CHAIN_BYTES: u64 = 4096;
/// Header of `DT_GNU_HASH`: the numbers of buckets, of the first symbol that is in it, and of words of the Bloom filter; a shift.
const GNU_HASH_HEADER: u64 = 16;
/// Of `Elf64_Sym`.
const SYMBOL: u64 = 24;

/// A 64-bit little-endian image, by stated addresses.
pub trait Loaded {
    type Error;

    /// How many bytes of the file are loaded from an address on; `None` if none are.
    fn rest(&self, svma: u64) -> Option<u64>;

    /// `len` of these bytes, no more than there are.
    fn read(&self, svma: u64, len: u64) -> Result<Cow<'_, [u8]>, Self::Error>;
}

/// Why it is not known where a table is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DynamicError<E> {
    #[error(transparent)]
    Read(E),
    #[error("malformed {0}")]
    Malformed(&'static str),
    #[error("unsupported {0}")]
    Unsupported(&'static str),
    #[error("{0} needs more memory than the budget allows")]
    OverBudget(&'static str),
}

/// Where a table is, as the section says: whether it is loaded is for the reader to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    pub address: u64,
    pub size: u64,
}

/// The entries of a dynamic section.
#[derive(Debug, Clone, Default)]
pub struct Dynamic(Vec<(u64, u64)>);

impl Dynamic {
    /// Reads the section at `svma`: where `PT_DYNAMIC` says.
    pub fn read<L: Loaded>(image: &L, svma: u64) -> Result<Self, DynamicError<L::Error>> {
        let rest = image.rest(svma).ok_or(DynamicError::Malformed("dynamic section"))?;
        let bytes = image.read(svma, MAX_BYTES.min(rest)).map_err(DynamicError::Read)?;
        let word = |bytes: [u8; 8]| u64::from_le_bytes(bytes);
        let words = bytes.as_chunks::<8>().0.as_chunks::<2>().0;
        let entries = words.iter().map(|[tag, value]| (word(*tag), word(*value)));
        Ok(Self(entries.take_while(|(tag, _)| *tag != elf::DT_NULL.into()).collect()))
    }

    /// What an entry says, if there is one; else 0, which is the place of no table.
    fn value(&self, tag: u32) -> u64 {
        self.0.iter().find(|(other, _)| *other == tag.into()).map_or(0, |(_, value)| *value)
    }

    fn table(&self, address: u32, size: u32) -> Option<Table> {
        let table = Table { address: self.value(address), size: self.value(size) };
        (table.address != 0 && table.size != 0).then_some(table)
    }

    /// `.dynstr`
    pub fn strings(&self) -> Option<Table> {
        self.table(elf::DT_STRTAB, elf::DT_STRSZ)
    }

    /// `.rela.plt`
    pub fn plt_relocations(&self) -> Option<Table> {
        self.table(elf::DT_JMPREL, elf::DT_PLTRELSZ)
    }

    /// `.rela.dyn`
    pub fn relocations(&self) -> Option<Table> {
        self.table(elf::DT_RELA, elf::DT_RELASZ)
    }

    /// The address of `.gnu.hash`. Nothing says where it ends.
    pub fn gnu_hash(&self) -> Option<u64> {
        Some(self.value(elf::DT_GNU_HASH)).filter(|address| *address != 0)
    }

    /// `.dynsym`, whose size only the hash tables tell; `None` if there is none.
    pub fn symbols<L: Loaded>(&self, image: &L) -> Result<Option<Table>, DynamicError<L::Error>> {
        let address = self.value(elf::DT_SYMTAB);
        if address == 0 {
            return Ok(None);
        }
        let count = match (self.value(elf::DT_HASH), self.gnu_hash()) {
            (0, None) => Err(DynamicError::Unsupported("dynamic symbols without a hash table")),
            (0, Some(table)) => symbols_in_gnu_hash(image, table),
            // The numbers of buckets, and of symbols.
            (table, _) => words(image, table, 8).map(|words| words[1].into()),
        }?;
        Ok(Some(Table { address, size: count * SYMBOL }))
    }
}

/// One more than the number of the last symbol: the highest that a bucket begins with, and on to the end of its chain.
fn symbols_in_gnu_hash<L: Loaded>(image: &L, table: u64) -> Result<u64, DynamicError<L::Error>> {
    let header = words(image, table, GNU_HASH_HEADER)?;
    let [buckets, first, filters] = [header[0], header[1], header[2]].map(u64::from);
    let bucket_bytes = buckets * 4;
    if bucket_bytes > MAX_BUCKET_BYTES {
        return Err(DynamicError::OverBudget(HASH_TABLE));
    }
    let buckets_at = table.checked_add(GNU_HASH_HEADER + filters * 8).ok_or_else(damage)?;
    let last = words(image, buckets_at, bucket_bytes)?.into_iter().max().unwrap_or(0);
    let Some(into) = u64::from(last).checked_sub(first) else { return Ok(first) };
    let chain_at = buckets_at.checked_add(bucket_bytes + into * 4).ok_or_else(damage)?;
    let rest = image.rest(chain_at).ok_or_else(damage)?;
    let chain = words(image, chain_at, MAX_CHAIN_BYTES.min(rest) / 4 * 4)?;
    let length = chain.iter().position(|word| word & 1 != 0).ok_or_else(damage)?;
    Ok(u64::from(last) + length as u64 + 1)
}

const HASH_TABLE: &str = "symbol hash table";

fn damage<E>() -> DynamicError<E> {
    DynamicError::Malformed(HASH_TABLE)
}

/// The words of `len` bytes.
fn words<L: Loaded>(image: &L, svma: u64, len: u64) -> Result<Vec<u32>, DynamicError<L::Error>> {
    image.rest(svma).filter(|rest| len <= *rest).ok_or_else(damage)?;
    let bytes = image.read(svma, len).map_err(DynamicError::Read)?;
    if bytes.len() as u64 != len {
        return Err(damage());
    }
    Ok(bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

#[cfg(test)]
mod tests;
