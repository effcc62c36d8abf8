//! Reading parts of an ELF file: headers first, then only the sections that are asked for.
//!
//! All offsets and sizes are checked against the file and the budget; nothing is read whole. Symbols, relocations and
//! line tables are not its matter.

mod dynamic;
mod section;
mod sparse;

use std::ops::Range;

use object::elf::{self, FileHeader64, ProgramHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{LittleEndian, ReadRef};

pub(crate) use section::Section;
pub(crate) use sparse::{Place, Sparse};

use crate::arch::Machine;
use crate::error::Error;

/// Addresses at and above this limit are not those of user code.
const ADDRESS_LIMIT: u64 = 1 << 47;

/// Linkers make fewer than ten loaded segments; more than this many are ignored.
const MAX_LOADS: usize = 128;

/// A part of the file and the addresses it is loaded at.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) range: Range<u64>,
    offset: u64,
    is_code: bool,
}

/// An opened ELF file.
#[derive(Debug)]
pub(crate) struct Image<'d, R> {
    data: R,
    file_len: u64,
    header: &'d FileHeader64<LittleEndian>,
    segments: &'d [ProgramHeader64<LittleEndian>],
    sections: Vec<Section<'d>>,
    /// Without section headers: what the dynamic section tells of them.
    stand_ins: Vec<Section<'d>>,
    loads: Vec<Load>,
    pub(crate) machine: Machine,
    /// What the file maps as code: sorted, disjoint, below 2^47.
    pub(crate) code: Vec<Range<u64>>,
    max_section_bytes: u64,
}

impl<'d, R: ReadRef<'d>> Image<'d, R> {
    pub(crate) fn open(data: R, max_section_bytes: u64) -> Result<Self, Error> {
        let not_elf = |error: object::Error| Error::NotElf(error.to_string());
        let file_len = data.len().map_err(|()| Error::NotElf("no length".into()))?;
        let header = FileHeader64::<LittleEndian>::parse(data).map_err(not_elf)?;
        header.endian().map_err(not_elf)?;
        if header.e_ident.class != elf::ELFCLASS64 || header.e_ident.data != elf::ELFDATA2LSB {
            return Err(Error::NotElf("another class or byte order".into()));
        }
        let machine = header.e_machine.get(LittleEndian);
        let machine = Machine::from_elf(machine).ok_or(Error::UnsupportedMachine(machine))?;
        let segments = header.program_headers(LittleEndian, data).map_err(not_elf)?;
        let sections = section::read_table(header, data);
        let loads: Vec<Load> =
            segments.iter().filter_map(|segment| load(segment, file_len)).take(MAX_LOADS).collect();
        let code = code_ranges(&loads);
        let mut image = Self {
            data,
            file_len,
            header,
            segments,
            sections,
            stand_ins: Vec::new(),
            loads,
            machine,
            code,
            max_section_bytes,
        };
        if image.sections.is_empty() {
            image.stand_ins = image.dynamic_sections();
        }
        Ok(image)
    }

    /// `e_entry`
    pub(crate) fn entry(&self) -> u64 {
        self.header.e_entry.get(LittleEndian)
    }

    /// Those that have headers.
    pub(crate) fn sections(&self) -> &[Section<'d>] {
        &self.sections
    }

    pub(crate) fn section(&self, name: &str) -> Option<&Section<'d>> {
        let mut sections = self.sections.iter().chain(&self.stand_ins);
        sections.find(|section| section.name == name.as_bytes())
    }

    pub(crate) fn is_code(&self, svma: u64) -> bool {
        let after = self.code.partition_point(|range| range.start <= svma);
        after.checked_sub(1).is_some_and(|index| self.code[index].contains(&svma))
    }

    /// The file's bytes for `len` addresses from `svma` on, if one loaded segment has them all.
    pub(crate) fn bytes_at(&self, svma: u64, len: u64) -> Option<&'d [u8]> {
        let end = svma.checked_add(len)?;
        let load =
            self.loads.iter().find(|load| load.range.start <= svma && end <= load.range.end)?;
        self.file_bytes(load.offset + (svma - load.range.start), len)
    }

    /// The file's bytes from `svma` to the end of its segment, but no more than the limit for a section.
    pub(crate) fn bytes_from(&self, svma: u64) -> Option<&'d [u8]> {
        let place = self.place_from(svma)?;
        self.file_bytes(place.file_offset, place.len as u64)
    }

    /// Where in the file `svma` is, up to the end of its segment, but no more than the limit for a section.
    pub(crate) fn place_from(&self, svma: u64) -> Option<Place> {
        let load = self.loads.iter().find(|load| load.range.contains(&svma))?;
        let file_offset = load.offset + (svma - load.range.start);
        let len = (load.range.end - svma).min(self.max_section_bytes);
        Some(Place { address: svma, file_offset, len: usize::try_from(len).ok()? })
    }

    /// The address of the segment of type `kind`, if there is one.
    pub(crate) fn segment_address(&self, kind: u32) -> Option<u64> {
        let segment = self.segments.iter().find(|s| s.p_type(LittleEndian) == kind)?;
        Some(segment.p_vaddr(LittleEndian))
    }

    /// What is loaded from the file but not as code.
    pub(crate) fn data_loads(&self) -> impl Iterator<Item = &Load> {
        self.loads.iter().filter(|load| !load.is_code)
    }

    pub(crate) fn file_bytes(&self, offset: u64, len: u64) -> Option<&'d [u8]> {
        if len > self.max_section_bytes || offset.checked_add(len)? > self.file_len {
            return None;
        }
        self.data.read_bytes_at(offset, len).ok()
    }
}

fn load(segment: &ProgramHeader64<LittleEndian>, file_len: u64) -> Option<Load> {
    if segment.p_type(LittleEndian) != elf::PT_LOAD {
        return None;
    }
    let offset = segment.p_offset(LittleEndian);
    let start = segment.p_vaddr(LittleEndian);
    let len = segment.p_filesz(LittleEndian).min(file_len.checked_sub(offset)?);
    let end = start.checked_add(len)?;
    let is_code = segment.p_flags(LittleEndian) & elf::PF_X != 0;
    (start < end && end <= ADDRESS_LIMIT).then_some(Load { range: start..end, offset, is_code })
}

fn code_ranges(loads: &[Load]) -> Vec<Range<u64>> {
    let code = loads.iter().filter(|load| load.is_code);
    let mut ranges: Vec<Range<u64>> = code.map(|load| load.range.clone()).collect();
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, previous| {
        let joins = next.start <= previous.end;
        if joins {
            previous.end = previous.end.max(next.end);
        }
        joins
    });
    ranges
}
