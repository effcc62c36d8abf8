//! ELF header, program headers and notes, by a few bounded reads. Section headers are not loaded and
//! may be stripped; they are looked at only for a build id that no program header leads to (Go's
//! own linker leaves it out of its `PT_NOTE`).
//!
//! Layout: gABI 4.1 "ELF Header", "Sections" and "Program Header". Little-endian only, as the machines
//! that we run on.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use serde::Serialize;

use super::notes::{BuildId, NoteIds};
use super::segments::{LoadSegment, LoadSegments};

/// Program headers of a real image: about a dozen; the kernel itself refuses more than 64 KiB.
const MOST_PROGRAM_HEADERS: usize = 1024;
/// Sections that are looked at for notes; a large C++ program has some fifty.
const MOST_SECTIONS: usize = 4096;
/// Bytes of notes that are read from one image.
const MOST_NOTE_BYTES: u64 = 256 * 1024;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const PF_X: u32 = 1;
const SHT_NOTE: u32 = 7;

/// Bytes at offsets: a file, or an image in memory such as the vDSO.
pub trait ByteSource {
    /// Reads at `offset`; fewer bytes than asked for mean the end of the source.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl ByteSource for File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let Some(at) = offset.checked_add(filled as u64) else { break };
            match FileExt::read_at(self, &mut buffer[filled..], at) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // an offset that the file system cannot have is behind the end
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl ByteSource for [u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// Why a file is not an image that we understand.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    #[error("cannot read the image: {0}")]
    Io(#[from] io::Error),
    #[error("not an ELF file")]
    NotElf,
    #[error("unsupported ELF file: {0}")]
    Unsupported(&'static str),
    #[error("malformed ELF file: {0}")]
    Malformed(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum ElfClass {
    Bits32,
    Bits64,
}

/// `e_machine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Machine(pub u16);

impl Machine {
    pub const X86: Self = Self(3);
    pub const X86_64: Self = Self(62);
    pub const AARCH64: Self = Self(183);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// `ET_EXEC`: runs at the addresses stated in the file.
    FixedExecutable,
    /// `ET_DYN`: a library or position-independent executable.
    Shared,
    /// Core files, objects, anything else: the raw `e_type`.
    Other(u16),
}

/// What identifies an image and relates its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElfHeaders {
    pub class: ElfClass,
    pub machine: Machine,
    pub file_type: FileType,
    pub entry_svma: u64,
    /// It asks for a dynamic loader (`PT_INTERP`).
    pub has_interpreter: bool,
    pub segments: LoadSegments,
    /// Where in the file the dynamic section is (`PT_DYNAMIC`).
    pub dynamic: Option<Range<u64>>,
    pub build_id: Option<BuildId>,
    /// The id in Go's own note: four parts, separated by `/`.
    pub go_build_id: Option<String>,
}

impl ElfHeaders {
    /// Reads the headers and notes of an image: at most some 600 KiB.
    pub fn read(source: &(impl ByteSource + ?Sized)) -> Result<Self, ElfError> {
        let mut bytes = [0; 64];
        let length = source.read_at(0, &mut bytes)?;
        let file = FileHeader::parse(&bytes[..length])?;
        let mut table = vec![0; file.program_headers * file.program_header_size];
        if source.read_at(file.table_offset, &mut table)? < table.len() {
            return Err(ElfError::Malformed("the program headers reach past the end"));
        }
        let mut headers = Self {
            class: file.class,
            machine: file.machine,
            file_type: file.file_type,
            entry_svma: file.entry_svma,
            has_interpreter: false,
            segments: LoadSegments::default(),
            dynamic: None,
            build_id: None,
            go_build_id: None,
        };
        let mut notes = NoteReader { source, budget: MOST_NOTE_BYTES, ids: NoteIds::default() };
        for raw in table.chunks_exact(file.program_header_size) {
            let header = ProgramHeader::parse(raw, file.class);
            match header.kind {
                PT_LOAD => headers.segments.0.push(header.to_segment()),
                PT_DYNAMIC => headers.dynamic = header.in_file(),
                PT_INTERP => headers.has_interpreter = true,
                PT_NOTE => notes.read(header.file_offset, header.file_size, header.alignment)?,
                _ => {}
            }
        }
        if notes.ids.gnu.is_none() {
            notes.read_sections(&file)?;
        }
        headers.build_id = notes.ids.gnu;
        headers.go_build_id = notes.ids.go;
        Ok(headers)
    }
}

struct NoteReader<'a, S: ?Sized> {
    source: &'a S,
    /// Bytes that may still be read.
    budget: u64,
    ids: NoteIds,
}

impl<S: ByteSource + ?Sized> NoteReader<'_, S> {
    fn read(&mut self, offset: u64, size: u64, alignment: u64) -> io::Result<()> {
        let size = size.min(self.budget);
        self.budget -= size;
        let mut bytes = vec![0; size as usize];
        let length = self.source.read_at(offset, &mut bytes)?;
        self.ids.collect(&bytes[..length], alignment as usize);
        Ok(())
    }

    /// A section table that is cut, or of an unusual form, is as good as none.
    fn read_sections(&mut self, file: &FileHeader) -> io::Result<()> {
        let (size, at) = match file.class {
            ElfClass::Bits64 => (64, [24, 32, 48]),
            ElfClass::Bits32 => (40, [16, 20, 32]),
        };
        if file.section_header_size != size || file.sections > MOST_SECTIONS {
            return Ok(());
        }
        let mut table = vec![0; file.sections * size];
        let length = self.source.read_at(file.section_table_offset, &mut table)?;
        for raw in table[..length].chunks_exact(size) {
            if u32_at(raw, 4) == SHT_NOTE {
                let [offset, size, alignment] = at.map(|at| address_at(raw, at, file.class));
                self.read(offset, size, alignment)?;
            }
        }
        Ok(())
    }
}

struct FileHeader {
    class: ElfClass,
    machine: Machine,
    file_type: FileType,
    entry_svma: u64,
    table_offset: u64,
    program_headers: usize,
    program_header_size: usize,
    section_table_offset: u64,
    sections: usize,
    section_header_size: usize,
}

impl FileHeader {
    fn parse(bytes: &[u8]) -> Result<Self, ElfError> {
        if !bytes.starts_with(b"\x7fELF") {
            return Err(ElfError::NotElf);
        }
        let class = match bytes.get(4..7) {
            Some([2, 1, 1]) => ElfClass::Bits64,
            Some([1, 1, 1]) => ElfClass::Bits32,
            Some([_, 2, _]) => return Err(ElfError::Unsupported("big-endian")),
            Some(_) => return Err(ElfError::Unsupported("class or version")),
            None => return Err(ElfError::Malformed("the file header is cut")),
        };
        let is_64 = class == ElfClass::Bits64;
        let (header_size, program_header_size) = if is_64 { (64, 56) } else { (52, 32) };
        if bytes.len() < header_size {
            return Err(ElfError::Malformed("the file header is cut"));
        }
        let at = |wide, narrow| if is_64 { wide } else { narrow };
        let program_headers = usize::from(u16_at(bytes, at(56, 44)));
        if program_headers > 0 && usize::from(u16_at(bytes, at(54, 42))) != program_header_size {
            return Err(ElfError::Malformed("the size of a program header is wrong"));
        }
        if program_headers > MOST_PROGRAM_HEADERS {
            return Err(ElfError::Unsupported("too many program headers"));
        }
        Ok(Self {
            class,
            machine: Machine(u16_at(bytes, 18)),
            file_type: match u16_at(bytes, 16) {
                2 => FileType::FixedExecutable,
                3 => FileType::Shared,
                other => FileType::Other(other),
            },
            entry_svma: address_at(bytes, 24, class),
            table_offset: address_at(bytes, at(32, 28), class),
            program_headers,
            program_header_size,
            section_table_offset: address_at(bytes, at(40, 32), class),
            section_header_size: usize::from(u16_at(bytes, at(58, 46))),
            sections: usize::from(u16_at(bytes, at(60, 48))),
        })
    }
}

struct ProgramHeader {
    kind: u32,
    flags: u32,
    file_offset: u64,
    svma: u64,
    file_size: u64,
    memory_size: u64,
    alignment: u64,
}

impl ProgramHeader {
    fn parse(raw: &[u8], class: ElfClass) -> Self {
        let at = |wide, narrow| match class {
            ElfClass::Bits64 => wide,
            ElfClass::Bits32 => narrow,
        };
        let address = |wide, narrow| address_at(raw, at(wide, narrow), class);
        Self {
            kind: u32_at(raw, 0),
            flags: u32_at(raw, at(4, 24)),
            file_offset: address(8, 4),
            svma: address(16, 8),
            file_size: address(32, 16),
            memory_size: address(40, 20),
            alignment: address(48, 28),
        }
    }

    fn in_file(&self) -> Option<Range<u64>> {
        Some(self.file_offset..self.file_offset.checked_add(self.file_size)?)
    }

    fn to_segment(&self) -> LoadSegment {
        LoadSegment {
            file_offset: self.file_offset,
            svma: self.svma,
            file_size: self.file_size,
            memory_size: self.memory_size,
            is_executable: self.flags & PF_X != 0,
        }
    }
}

/// The bytes at `at`; zeros behind the end (callers have checked the size of what they parse).
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn address_at(bytes: &[u8], at: usize, class: ElfClass) -> u64 {
    match class {
        ElfClass::Bits64 => u64::from_le_bytes(array_at(bytes, at)),
        ElfClass::Bits32 => u64::from(u32_at(bytes, at)),
    }
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
