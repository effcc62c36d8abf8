//! What stands in for sections where a file has lost its section headers (`sstrip`, `llvm-strip --strip-sections`): the
//! places that program headers and the dynamic section tell of, which the loader needs and nothing can strip.
//!
//! Source of the layout: LSB Core 5.0, "Exception Frames".

use std::borrow::Cow;

use infrared_elf::{Dynamic, DynamicError, Loaded, Table};
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64};

use super::{Elf, Section, Segment};
use crate::error::{Error, Result};

/// Linkers make fewer than ten loaded segments.
const MAX_LOADS: usize = 128;
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

impl Place {
    fn of(Table { address, size }: Table) -> Self {
        Self { address, size, ..Self::default() }
    }
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
        let Some(segment) = self.elf.segments_of(elf::PT_DYNAMIC).next() else { return Ok(()) };
        let dynamic = Dynamic::read(self.elf, segment.address)?;
        let Some(symbols) = dynamic.symbols(self.elf)? else { return Ok(()) };
        let symbols = Place {
            name: ".dynsym",
            kind: elf::SHT_DYNSYM,
            link: DYNSYM + 1,
            ..Place::of(symbols)
        };
        let strings = dynamic.strings().map(Place::of).unwrap_or_default();
        let strings = Place { name: ".dynstr", kind: elf::SHT_STRTAB, ..strings };
        if let Err(damage) = self.add(&symbols).and_then(|()| self.add(&strings)) {
            self.sections.truncate(DYNSYM as usize);
            return Err(damage);
        }
        let relocations =
            [(".rela.plt", dynamic.plt_relocations()), (".rela.dyn", dynamic.relocations())];
        let present = relocations.into_iter().filter_map(|(name, table)| Some((name, table?)));
        present.into_iter().try_for_each(|(name, table)| {
            let (kind, link) = (elf::SHT_RELA, DYNSYM);
            self.add(&Place { name, kind, link, ..Place::of(table) })
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
            let Some(address) = segment.address.checked_add(skipped) else { continue };
            let Some((_, size)) = elf.file_offset(address) else { continue };
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

impl Loaded for Elf {
    type Error = Error;

    fn rest(&self, svma: u64) -> Option<u64> {
        self.file_offset(svma).map(|(_, rest)| rest)
    }

    fn read(&self, svma: u64, len: u64) -> Result<Cow<'_, [u8]>> {
        let (offset, _) = self.file_offset(svma).ok_or(Error::Malformed("address"))?;
        Elf::read(self, offset, len).map(Cow::Owned)
    }
}

impl From<DynamicError<Error>> for Error {
    fn from(error: DynamicError<Error>) -> Self {
        match error {
            DynamicError::Read(error) => error,
            DynamicError::Malformed(what) => Error::Malformed(what),
            DynamicError::Unsupported(what) => Error::Unsupported(what),
            DynamicError::OverBudget(what) => Error::OverBudget(what),
        }
    }
}

impl Elf {
    /// The address of `.eh_frame`, as the header of its search table states it.
    fn call_frames_at(&self, header: u64) -> Option<u64> {
        let (offset, _) = self.file_offset(header)?;
        let bytes = self.read(offset, 8).ok()?;
        let relative = i32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
        (bytes[1] == PC_RELATIVE).then(|| (header + 4).wrapping_add_signed(relative.into()))
    }
}
