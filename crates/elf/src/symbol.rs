//! A dynamic symbol by its name, through the hash tables that the dynamic linker uses: `DT_GNU_HASH`, or `DT_HASH` of older images.

use super::{Dynamic, DynamicError, Loaded, SYMBOL, damage, words};

/// Names of one hash bucket that are looked at.
const MAX_CHAIN: u64 = 256;
const MAX_NAME: u64 = 128;

/// What a dynamic symbol stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol {
    /// Stated address.
    pub address: u64,
    /// In bytes.
    pub size: u64,
}

impl Dynamic {
    /// The symbol of that name that the image defines; `None` without a hash table, too.
    pub fn find_symbol<L: Loaded>(
        &self,
        image: &L,
        name: &str,
    ) -> Result<Option<Symbol>, DynamicError<L::Error>> {
        match (self.gnu_hash(), self.value(object::elf::DT_HASH)) {
            (Some(table), _) => self.in_gnu_hash(image, table, name),
            (None, 0) => Ok(None),
            (None, table) => self.in_hash(image, table, name),
        }
    }

    /// The numbers of buckets and of symbols; where each bucket's list begins; where it goes on from each symbol (gABI, "Hash Table").
    fn in_hash<L: Loaded>(
        &self,
        image: &L,
        table: u64,
        name: &str,
    ) -> Result<Option<Symbol>, DynamicError<L::Error>> {
        let buckets = u64::from(words(image, table, 8)?[0]);
        let word = |index: u64| {
            let at = table.checked_add(8 + index * 4).ok_or_else(damage)?;
            words(image, at, 4).map(|word| u64::from(word[0]))
        };
        if buckets == 0 {
            return Ok(None);
        }
        let mut number = word(u64::from(old_hash(name.as_bytes())) % buckets)?;
        for _ in 0..MAX_CHAIN {
            if number == 0 {
                break;
            }
            if let Some(symbol) = self.symbol_named(image, number, name)? {
                return Ok(Some(symbol));
            }
            number = word(buckets + number)?;
        }
        Ok(None)
    }

    fn in_gnu_hash<L: Loaded>(
        &self,
        image: &L,
        table: u64,
        name: &str,
    ) -> Result<Option<Symbol>, DynamicError<L::Error>> {
        let hash = gnu_hash(name.as_bytes());
        let header = words(image, table, 16)?;
        let [buckets, first, filters] = [header[0], header[1], header[2]].map(u64::from);
        if buckets == 0 || filters == 0 {
            return Ok(None);
        }
        let filter_at = table + 16 + u64::from(hash) / 64 % filters * 8;
        let filter = words(image, filter_at, 8)?;
        let filter = u64::from(filter[0]) | u64::from(filter[1]) << 32;
        let is_set = |hash: u32| filter >> (hash % 64) & 1 != 0;
        if !is_set(hash) || !is_set(hash.checked_shr(header[3]).unwrap_or(0)) {
            return Ok(None);
        }
        let buckets_at = table.checked_add(16 + filters * 8).ok_or_else(damage)?;
        let bucket = words(image, buckets_at + u64::from(hash) % buckets * 4, 4)?[0].into();
        let chain_at = buckets_at + buckets * 4;
        let Some(into) = u64::checked_sub(bucket, first) else { return Ok(None) };
        for step in 0..MAX_CHAIN {
            let entry = words(image, chain_at + (into + step) * 4, 4)?[0];
            if entry | 1 == hash | 1
                && let Some(symbol) = self.symbol_named(image, bucket + step, name)?
            {
                return Ok(Some(symbol));
            }
            if entry & 1 != 0 {
                break;
            }
        }
        Ok(None)
    }

    /// The symbol with a number, if that is its name and it is defined.
    fn symbol_named<L: Loaded>(
        &self,
        image: &L,
        number: u64,
        name: &str,
    ) -> Result<Option<Symbol>, DynamicError<L::Error>> {
        let Some(strings) = self.strings() else { return Ok(None) };
        let at = self.value(object::elf::DT_SYMTAB).checked_add(number * SYMBOL);
        let entry = words(image, at.ok_or_else(damage)?, SYMBOL)?;
        let text_at = strings.address.checked_add(entry[0].into()).ok_or_else(damage)?;
        let len = name.len() as u64 + 1;
        if len > MAX_NAME || image.rest(text_at).is_none_or(|rest| rest < len) {
            return Ok(None);
        }
        let text = image.read(text_at, len).map_err(DynamicError::Read)?;
        let is_defined = entry[1] >> 16 != 0;
        let is_it = text.split_last() == Some((&0, name.as_bytes()));
        let wide = |low: usize| u64::from(entry[low]) | u64::from(entry[low + 1]) << 32;
        Ok((is_it && is_defined).then(|| Symbol { address: wide(2), size: wide(4) }))
    }
}

/// The hash of a name in `DT_GNU_HASH`.
fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add((*byte).into()))
}

/// The hash of a name in `DT_HASH`.
fn old_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add((*byte).into());
        let top = hash & 0xf000_0000;
        (hash ^ top >> 24) & !top
    })
}
