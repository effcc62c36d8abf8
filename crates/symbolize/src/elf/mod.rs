//! The parts of a 64-bit little-endian ELF file that naming needs: sections, loadable segments,
//! build id. Read piecewise; nothing is kept but the headers. It is not a general ELF reader.
//!
//! Source of the layout: System V ABI, chapter "Object Files"; gABI "Section Compression".

pub(crate) mod function_starts;
pub(crate) mod minidebug;
pub(crate) mod plt;
pub(crate) mod reach;
pub(crate) mod relocations;
pub(crate) mod section;
mod stand_ins;
pub(crate) mod symbol_index;
pub(crate) mod symbols;

use std::io::BufReader;
use std::rc::Rc;

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, ProgramHeader64, SectionHeader64};
use object::pod::{self, Pod};

use crate::error::{Error, Result};
use crate::input::{ReadAt, Sequential, read_exact_at};

/// The most section or program headers read; relocatable objects with more are never mapped.
const MAX_HEADERS: u64 = 65_536;
const MAX_SECTION_NAMES: u64 = 4 << 20;
const MAX_NOTES: u64 = 64 << 10;
/// Go's linker, `cmd/link/internal/ld/elf.go`.
const NT_GO_BUILD_ID: u32 = 4;
/// Linkers make two or three.
const MAX_NOTE_SEGMENTS: usize = 16;
/// The largest range read at once; a sparse file can claim any size.
const MAX_READ: u64 = 256 << 20;
const BUFFER: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    X86_64,
    Aarch64,
    Other,
}

/// A section header; addresses are stated virtual addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    name: u32,
    pub(crate) kind: u32,
    pub(crate) flags: u64,
    pub(crate) address: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) link: u32,
    pub(crate) entry_size: u64,
}

impl Section {
    const NULL: Self = Self {
        name: 0,
        kind: elf::SHT_NULL,
        flags: 0,
        address: 0,
        offset: 0,
        size: 0,
        link: 0,
        entry_size: 0,
    };

    pub(crate) fn contains(&self, svma: u64) -> bool {
        self.address != 0 && svma >= self.address && svma - self.address < self.size
    }

    pub(crate) fn has_bytes(&self) -> bool {
        self.kind != elf::SHT_NOBITS && self.kind != elf::SHT_NULL && self.size > 0
    }
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    kind: u32,
    flags: u32,
    address: u64,
    offset: u64,
    file_size: u64,
}

/// An open ELF file with its headers.
pub(crate) struct Elf {
    source: Rc<dyn ReadAt>,
    len: u64,
    pub(crate) machine: Machine,
    sections: Vec<Section>,
    segments: Vec<Segment>,
    names: Vec<u8>,
    /// Whether the sections are those of the file. Else they stand in for what it has lost.
    has_headers: bool,
    /// Why there are fewer stand-ins than there should be.
    damage: Option<Error>,
}

impl Elf {
    pub(crate) fn parse(source: Rc<dyn ReadAt>) -> Result<Self> {
        let len = source.size()?;
        let mut bytes = vec![0; size_of::<FileHeader64<LE>>()];
        read_exact_at(&*source, &mut bytes, 0)?;
        let header: &FileHeader64<LE> = first(&bytes)?;
        let ident = &header.e_ident;
        if ident.magic != elf::ELFMAG {
            return Err(Error::Malformed("ELF magic"));
        }
        if ident.class != elf::ELFCLASS64 || ident.data != elf::ELFDATA2LSB {
            return Err(Error::Unsupported("ELF class or byte order"));
        }
        let machine = match header.e_machine.get(LE) {
            elf::EM_X86_64 => Machine::X86_64,
            elf::EM_AARCH64 => Machine::Aarch64,
            _ => Machine::Other,
        };
        let mut file = Self {
            source,
            len,
            machine,
            sections: Vec::new(),
            segments: Vec::new(),
            names: vec![],
            has_headers: true,
            damage: None,
        };
        file.read_sections(header)?;
        file.read_segments(header)?;
        if file.sections.is_empty() {
            file.read_stand_ins();
        }
        Ok(file)
    }

    fn read_sections(&mut self, header: &FileHeader64<LE>) -> Result<()> {
        let table = header.e_shoff.get(LE);
        if table == 0 {
            return Ok(());
        }
        if usize::from(header.e_shentsize.get(LE)) != size_of::<SectionHeader64<LE>>() {
            return Err(Error::Malformed("section header size"));
        }
        let zero = self.read_pods::<SectionHeader64<LE>>(table, 1)?;
        let zero: &SectionHeader64<LE> = first(&zero)?;
        // gABI: a count or index that does not fit the header stands in section 0.
        let count = match header.e_shnum.get(LE) {
            0 => zero.sh_size.get(LE),
            n => u64::from(n),
        };
        let names_index = match header.e_shstrndx.get(LE) {
            elf::SHN_XINDEX => zero.sh_link.get(LE) as usize,
            n => usize::from(n),
        };
        if count > MAX_HEADERS {
            return Err(Error::OverBudget("section table"));
        }
        let bytes = self.read_pods::<SectionHeader64<LE>>(table, count)?;
        let (headers, _) = pod::slice_from_bytes::<SectionHeader64<LE>>(&bytes, count as usize)
            .map_err(|()| Error::Malformed("section table"))?;
        self.sections = headers.iter().map(section).collect();
        if let Some(names) = self.sections.get(names_index).copied() {
            self.names = self.read(names.offset, names.size.min(MAX_SECTION_NAMES))?;
        }
        Ok(())
    }

    fn read_segments(&mut self, header: &FileHeader64<LE>) -> Result<()> {
        let (table, count) = (header.e_phoff.get(LE), header.e_phnum.get(LE));
        if table == 0 || count == 0 {
            return Ok(());
        }
        if usize::from(header.e_phentsize.get(LE)) != size_of::<ProgramHeader64<LE>>() {
            return Err(Error::Malformed("program header size"));
        }
        let bytes = self.read_pods::<ProgramHeader64<LE>>(table, u64::from(count))?;
        let (headers, _) = pod::slice_from_bytes::<ProgramHeader64<LE>>(&bytes, usize::from(count))
            .map_err(|()| Error::Malformed("program headers"))?;
        self.segments = headers
            .iter()
            .map(|h| Segment {
                kind: h.p_type.get(LE),
                flags: h.p_flags.get(LE),
                address: h.p_vaddr.get(LE),
                offset: h.p_offset.get(LE),
                file_size: h.p_filesz.get(LE),
            })
            .collect();
        Ok(())
    }

    fn read_pods<T: Pod>(&self, offset: u64, count: u64) -> Result<Vec<u8>> {
        let size = count
            .checked_mul(size_of::<T>() as u64)
            .ok_or(Error::Malformed("header table size"))?;
        self.read(offset, size)
    }

    /// Reads `len` bytes at a file offset; the file must hold them all.
    pub(crate) fn read(&self, offset: u64, len: u64) -> Result<Vec<u8>> {
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(Error::Malformed("range beyond the end of the file"));
        }
        if len > MAX_READ {
            return Err(Error::OverBudget("one read"));
        }
        let mut bytes = vec![0; len as usize];
        read_exact_at(&*self.source, &mut bytes, offset)?;
        Ok(bytes)
    }

    /// The bytes from a file offset on.
    pub(crate) fn sequential(&self, offset: u64) -> Result<BufReader<Sequential<'_>>> {
        if offset > self.len {
            return Err(Error::Malformed("range beyond the end of the file"));
        }
        Ok(BufReader::with_capacity(BUFFER, Sequential::new(&*self.source, offset)))
    }

    pub(crate) fn source(&self) -> &Rc<dyn ReadAt> {
        &self.source
    }

    pub(crate) fn sections(&self) -> &[Section] {
        &self.sections
    }

    pub(crate) fn section_at(&self, index: u32) -> Option<&Section> {
        self.sections.get(index as usize)
    }

    /// The section that a symbol says it is in. The numbers of lost headers say nothing.
    pub(crate) fn section_of_symbol(&self, index: u32) -> Option<&Section> {
        self.section_at(index).filter(|_| self.has_headers)
    }

    pub(crate) fn has_headers(&self) -> bool {
        self.has_headers
    }

    /// Why some of the tables of a file without section headers were not found.
    pub(crate) fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }

    /// The first section of that name that has bytes in this file.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.has_bytes() && self.name(s) == name.as_bytes())
    }

    /// All of that name that have bytes. Stand-ins for data are one for each segment.
    pub(crate) fn sections_named(&self, name: &str) -> impl Iterator<Item = &Section> {
        self.sections.iter().filter(move |s| s.has_bytes() && self.name(s) == name.as_bytes())
    }

    pub(crate) fn section_of_kind(&self, kind: u32) -> Option<&Section> {
        self.sections.iter().find(|s| s.kind == kind && s.size > 0)
    }

    pub(crate) fn name(&self, section: &Section) -> &[u8] {
        let rest = self.names.get(section.name as usize..).unwrap_or_default();
        rest.split(|&b| b == 0).next().unwrap_or_default()
    }

    /// The file offset that backs a stated virtual address, and the bytes left in its segment. A file may end before its segments
    /// do: of a copy from memory what can be written to is missing.
    pub(crate) fn file_offset(&self, svma: u64) -> Option<(u64, u64)> {
        self.segments_of(elf::PT_LOAD).find_map(|s| {
            let into = svma.checked_sub(s.address).filter(|into| *into < s.file_size)?;
            let offset = s.offset.checked_add(into)?;
            let rest = self.len.checked_sub(offset).filter(|rest| *rest > 0)?;
            Some((offset, rest.min(s.file_size - into)))
        })
    }

    /// The lowest stated address of code. Debug information below it is of discarded code.
    pub(crate) fn lowest_code(&self) -> u64 {
        let executable = u64::from(elf::SHF_EXECINSTR);
        let code = self.sections.iter().filter(|s| s.flags & executable != 0 && s.size > 0);
        code.map(|s| s.address).min().unwrap_or(0)
    }

    /// The GNU build id, from `.note.gnu.build-id`; without section headers from the segments of notes.
    pub(crate) fn build_id(&self) -> Option<Vec<u8>> {
        if self.has_headers {
            let section = self.section(".note.gnu.build-id")?;
            let bytes = self.read(section.offset, section.size.min(MAX_NOTES)).ok()?;
            return note(&bytes, *b"GNU\0", elf::NT_GNU_BUILD_ID);
        }
        self.note_in_segments(*b"GNU\0", elf::NT_GNU_BUILD_ID)
    }

    /// Whether a segment of notes has the build id that Go's linker writes.
    pub(crate) fn has_go_note(&self) -> bool {
        self.note_in_segments(*b"Go\0\0", NT_GO_BUILD_ID).is_some()
    }

    fn note_in_segments(&self, owner: [u8; 4], kind: u32) -> Option<Vec<u8>> {
        let mut segments = self.segments_of(elf::PT_NOTE).take(MAX_NOTE_SEGMENTS);
        segments.find_map(|segment| {
            let bytes = self.read(segment.offset, segment.file_size.min(MAX_NOTES)).ok()?;
            note(&bytes, owner, kind)
        })
    }
}

fn section(header: &SectionHeader64<LE>) -> Section {
    Section {
        name: header.sh_name.get(LE),
        kind: header.sh_type.get(LE),
        flags: header.sh_flags.get(LE),
        address: header.sh_addr.get(LE),
        offset: header.sh_offset.get(LE),
        size: header.sh_size.get(LE),
        link: header.sh_link.get(LE),
        entry_size: header.sh_entsize.get(LE),
    }
}

fn first<T: Pod>(bytes: &[u8]) -> Result<&T> {
    pod::from_bytes(bytes).map(|(t, _)| t).map_err(|()| Error::Malformed("header"))
}

fn note(mut note: &[u8], owner: [u8; 4], wanted: u32) -> Option<Vec<u8>> {
    loop {
        let word = |at: usize| Some(u32::from_le_bytes(note.get(at..at + 4)?.try_into().ok()?));
        let (name_len, desc_len) = (word(0)? as usize, word(4)? as usize);
        let kind = word(8)?;
        let desc_at = 12usize.checked_add(name_len.checked_next_multiple_of(4)?)?;
        let desc = note.get(desc_at..desc_at.checked_add(desc_len)?)?;
        if kind == wanted && note.get(12..16) == Some(&owner) {
            return Some(desc.to_vec());
        }
        note = note.get(desc_at.checked_add(desc_len.checked_next_multiple_of(4)?)?..)?;
    }
}
