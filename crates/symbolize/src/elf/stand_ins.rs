//! What stands in for sections where a file has lost its section headers (`sstrip`, `llvm-strip --strip-sections`): the
//! places that program headers and the dynamic section tell of, which the loader needs and nothing can strip.
//!
//! Source of the layout: System V ABI, chapter "Dynamic Linking"; `DT_GNU_HASH` as binutils writes it; LSB Core 5.0,
//! "Exception Frames".

use object::LittleEndian as LE;
use object::elf::{self, Dyn64, FileHeader64, Sym64};
use object::pod;

use super::{Elf, Section, Segment};
use crate::error::{Error, Result};

/// Linkers write some thirty entries.
const MAX_DYNAMIC: u64 = 1024 * size_of::<Dyn64<LE>>() as u64;
/// Linkers make fewer than ten loaded segments.
const MAX_LOADS: usize = 128;
/// A library with a million symbols has half a million buckets, and chains of a few words.
const MAX_BUCKET_BYTES: u64 = 4 << 20;
const MAX_CHAIN_BYTES: u64 = 4096;
/// The numbers of buckets, of the first symbol in the table, and of words of the Bloom filter; a shift.
const GNU_HASH_HEADER: u64 = 16;
const SYMBOL: u64 = size_of::<Sym64<LE>>() as u64;
/// `DW_EH_PE_pcrel | DW_EH_PE_sdata4`, as linkers write the place of `.eh_frame` into its search table.
const PC_RELATIVE: u8 = 0x1b;
/// Index of `.dynsym` among the stand-ins; `.dynstr` follows it.
const DYNSYM: u32 = 1;

/// A place without a header: its name, kind and flags are those that the section had.
#[derive(Default)]
struct Place {
    name: &'static str,
    kind: u32,
    flags: u32,
    address: u64,
    size: u64,
    link: u32,
}

/// Stand-ins as they are gathered, with their names.
struct Gathered<'a> {
    elf: &'a Elf,
    sections: Vec<Section>,
    names: Vec<u8>,
}

impl Elf {
    /// Fills in sections where there are no headers. A damaged dynamic section costs the tables that it tells of.
    pub(super) fn read_stand_ins(&mut self) {
        let mut gathered = Gathered { elf: self, sections: Vec::new(), names: vec![0] };
        let damage = gathered.dynamic_tables().err();
        gathered.loads();
        gathered.call_frames();
        let Gathered { sections, names, .. } = gathered;
        (self.sections, self.names, self.damage) = (sections, names, damage);
        self.has_headers = false;
    }

    pub(super) fn segments_of(&self, kind: u32) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(move |segment| segment.kind == kind)
    }
}

impl Gathered<'_> {
    /// Adds a place that must be in the file.
    fn add(&mut self, place: &Place) -> Result<()> {
        let found = self.elf.file_offset(place.address).filter(|(_, rest)| place.size <= *rest);
        let (offset, _) =
            found.ok_or(Error::Malformed("dynamic section: a table is not loaded"))?;
        self.sections.push(Section {
            name: self.names.len() as u32,
            kind: place.kind,
            flags: place.flags.into(),
            address: place.address,
            offset,
            size: place.size,
            link: place.link,
            entry_size: 0,
        });
        self.names.extend_from_slice(place.name.as_bytes());
        self.names.push(0);
        Ok(())
    }

    /// The tables of the dynamic linker. The null section comes first, as in a section table, then [`DYNSYM`].
    fn dynamic_tables(&mut self) -> Result<()> {
        self.sections.push(Section::NULL);
        let Some(dynamic) = self.elf.dynamic_entries()? else { return Ok(()) };
        let value = |tag: u32| dynamic.iter().find(|(t, _)| *t == tag.into()).map_or(0, |e| e.1);
        let symbols = value(elf::DT_SYMTAB);
        if symbols == 0 {
            return Ok(());
        }
        let count = self.elf.dynamic_symbols(value(elf::DT_HASH), value(elf::DT_GNU_HASH))?;
        let symbols = Place {
            name: ".dynsym",
            kind: elf::SHT_DYNSYM,
            address: symbols,
            size: count * SYMBOL,
            link: DYNSYM + 1,
            ..Place::default()
        };
        let strings = Place {
            name: ".dynstr",
            kind: elf::SHT_STRTAB,
            address: value(elf::DT_STRTAB),
            size: value(elf::DT_STRSZ),
            ..Place::default()
        };
        if let Err(damage) = self.add(&symbols).and_then(|()| self.add(&strings)) {
            self.sections.truncate(DYNSYM as usize);
            return Err(damage);
        }
        let relocations = [
            (".rela.plt", value(elf::DT_JMPREL), value(elf::DT_PLTRELSZ)),
            (".rela.dyn", value(elf::DT_RELA), value(elf::DT_RELASZ)),
        ];
        let present =
            relocations.into_iter().filter(|(_, address, size)| *address != 0 && *size != 0);
        present.into_iter().try_for_each(|(name, address, size)| {
            let (kind, link) = (elf::SHT_RELA, DYNSYM);
            self.add(&Place { name, kind, address, size, link, ..Place::default() })
        })
    }

    /// The loaded segments: the lowest code is looked up in them, and tables that only data leads to.
    fn loads(&mut self) {
        let elf = self.elf;
        for segment in elf.segments_of(elf::PT_LOAD).take(MAX_LOADS) {
            let (name, execute) = match segment.flags & (elf::PF_X | elf::PF_W) {
                0 => (".rodata", 0),
                elf::PF_W => (".data", 0),
                _ => (".text", elf::SHF_EXECINSTR),
            };
            // What begins with the file begins with its header.
            let skipped =
                if segment.offset == 0 { size_of::<FileHeader64<LE>>() as u64 } else { 0 };
            let Some(size) = segment.file_size.checked_sub(skipped) else { continue };
            let Some(address) = segment.address.checked_add(skipped) else { continue };
            // What is not in the file has nothing to read.
            drop(self.add(&Place {
                name,
                kind: elf::SHT_PROGBITS,
                flags: elf::SHF_ALLOC | execute,
                address,
                size,
                link: 0,
            }));
        }
    }

    /// `PT_GNU_EH_FRAME` and the entries that it leads to, which end with their segment at the latest.
    fn call_frames(&mut self) {
        let Some(header) = self.elf.segments_of(elf::PT_GNU_EH_FRAME).next().copied() else {
            return;
        };
        let kind = elf::SHT_PROGBITS;
        let table = Place {
            name: ".eh_frame_hdr",
            kind,
            address: header.address,
            size: header.file_size,
            ..Place::default()
        };
        let Some(address) = self.elf.call_frames_at(header.address) else { return };
        let Some((_, size)) = self.elf.file_offset(address) else { return };
        let entries = Place { name: ".eh_frame", kind, address, size, ..Place::default() };
        // A search table that is not in the file leaves the entries to be gone through.
        drop(self.add(&table));
        drop(self.add(&entries));
    }
}

impl Elf {
    /// Tag and value of each entry of the dynamic section, if there is one.
    fn dynamic_entries(&self) -> Result<Option<Vec<(u64, u64)>>> {
        let Some(segment) = self.segments_of(elf::PT_DYNAMIC).next() else { return Ok(None) };
        let damage = Error::Malformed("dynamic section: not loaded");
        let (offset, rest) = self.file_offset(segment.address).ok_or(damage)?;
        let bytes = self.read(offset, MAX_DYNAMIC.min(rest).min(segment.file_size))?;
        let (pairs, _) = bytes.as_chunks::<16>();
        let pair = |pair: &[u8; 16]| {
            let (entry, _) = pod::from_bytes::<Dyn64<LE>>(pair).ok()?;
            Some((entry.d_tag.get(LE), entry.d_val.get(LE)))
        };
        let end = u64::from(elf::DT_NULL);
        Ok(Some(pairs.iter().map_while(pair).take_while(|(tag, _)| *tag != end).collect()))
    }

    /// The number of symbols, which only the hash tables tell: that of System V in its second word.
    fn dynamic_symbols(&self, sysv_hash: u64, gnu_hash: u64) -> Result<u64> {
        match (sysv_hash, gnu_hash) {
            (0, 0) => Err(Error::Unsupported("dynamic symbols without a hash table")),
            (0, table) => self.symbols_in_gnu_hash(table),
            (table, _) => Ok(self.words_at(table, 8)?[1].into()),
        }
    }

    /// One more than the number of the last symbol: the highest that a bucket begins with, and on to the end of its chain.
    fn symbols_in_gnu_hash(&self, table: u64) -> Result<u64> {
        let damage = || Error::Malformed("symbol hash table");
        let header = self.words_at(table, GNU_HASH_HEADER)?;
        let [buckets, first, filter_words] = [header[0], header[1], header[2]].map(u64::from);
        let bucket_bytes = buckets * 4;
        if bucket_bytes > MAX_BUCKET_BYTES {
            return Err(Error::OverBudget("symbol hash table"));
        }
        let buckets_at =
            table.checked_add(GNU_HASH_HEADER + filter_words * 8).ok_or_else(damage)?;
        let last = self.words_at(buckets_at, bucket_bytes)?.into_iter().max().unwrap_or(0);
        let Some(into) = u64::from(last).checked_sub(first) else { return Ok(first) };
        let chain_at = buckets_at.checked_add(bucket_bytes + into * 4).ok_or_else(damage)?;
        let (_, rest) = self.file_offset(chain_at).ok_or_else(damage)?;
        let chain = self.words_at(chain_at, MAX_CHAIN_BYTES.min(rest) / 4 * 4)?;
        let length = chain.iter().position(|word| word & 1 != 0).ok_or_else(damage)?;
        Ok(u64::from(last) + length as u64 + 1)
    }

    /// The words of `len` bytes at a stated address.
    fn words_at(&self, svma: u64, len: u64) -> Result<Vec<u32>> {
        let found = self.file_offset(svma).filter(|(_, rest)| len <= *rest);
        let (offset, _) = found.ok_or(Error::Malformed("symbol hash table"))?;
        let bytes = self.read(offset, len)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// The address of `.eh_frame`, as the header of its search table states it.
    fn call_frames_at(&self, header: u64) -> Option<u64> {
        let (offset, _) = self.file_offset(header)?;
        let bytes = self.read(offset, 8).ok()?;
        let relative = i32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
        (bytes[1] == PC_RELATIVE).then(|| (header + 4).wrapping_add_signed(relative.into()))
    }
}
