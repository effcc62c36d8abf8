//! `runtime.moduledata`: where Go's text and `go:func.*` start. It has no symbol in a stripped binary;
//! it is known by its first word, the address of `.gopclntab`. In position-independent executables
//! its words are in the relocations and not in the file.

use super::pclntab::Version;
use crate::elf::Elf;
use crate::error::Result;
use crate::input::read_exact_at;

/// Data searched for the first word. It is in its own section since Go 1.26, else in a data section.
const MAX_SEARCH: u64 = 64 << 20;
const CHUNK: usize = 256 << 10;

/// Word indices in the structure: `text`, and `gofunc` (which Go 1.20 moved by two).
const TEXT: u64 = 22;
const GO_FUNC_1_18: u64 = 38;
const GO_FUNC_1_20: u64 = 40;
const WORDS: usize = 41;

/// Stated addresses; none where the structure was not found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ModuleData {
    pub(crate) text: Option<u64>,
    pub(crate) funcdata: Option<u64>,
}

pub(crate) fn find(elf: &Elf, pclntab: u64, version: Version) -> Result<ModuleData> {
    let Some(address) = search_data(elf, pclntab)?.or(search_relocations(elf, pclntab)?) else {
        return Ok(ModuleData::default());
    };
    let words = read_words(elf, address)?;
    let word = |index: u64| Some(words[index as usize]).filter(|w| *w != 0);
    Ok(match version {
        // no offsets from the text start, and funcdata are pointers
        Version::Go116 => ModuleData::default(),
        Version::Go118 => ModuleData { text: word(TEXT), funcdata: word(GO_FUNC_1_18) },
        Version::Go120 => ModuleData { text: word(TEXT), funcdata: word(GO_FUNC_1_20) },
    })
}

/// The address of the aligned word in the data sections that holds `wanted`.
fn search_data(elf: &Elf, wanted: u64) -> Result<Option<u64>> {
    let names = [".go.module", ".noptrdata", ".data", ".data.rel.ro"];
    let mut left = MAX_SEARCH;
    for section in names.into_iter().flat_map(|name| elf.sections_named(name)) {
        let size = section.size.min(left);
        left -= size;
        let mut buffer = vec![0; CHUNK.min(size as usize)];
        let mut done = 0;
        while done < size {
            let chunk_len = (size - done).min(CHUNK as u64) as usize;
            let chunk = &mut buffer[..chunk_len];
            let Some(offset) = section.offset.checked_add(done) else { break };
            read_exact_at(&**elf.source(), chunk, offset)?;
            let words = chunk.as_chunks::<8>().0;
            if let Some(index) = words.iter().position(|w| u64::from_le_bytes(*w) == wanted) {
                return Ok(section.address.checked_add(done + index as u64 * 8));
            }
            done += chunk_len as u64;
        }
    }
    Ok(None)
}

fn search_relocations(elf: &Elf, wanted: u64) -> Result<Option<u64>> {
    let mut found = None;
    for table in elf.relocation_tables() {
        elf.for_each_relocation(table, |entry| {
            if entry.symbol == 0 && entry.addend.cast_unsigned() == wanted {
                found = found.or(Some(entry.address));
            }
        })?;
    }
    Ok(found)
}

/// The structure's words: from the file, and where they are relocated the relocation's addend.
fn read_words(elf: &Elf, address: u64) -> Result<[u64; WORDS]> {
    let mut words = [0; WORDS];
    if let Some((offset, left)) = elf.file_offset(address) {
        let bytes = elf.read(offset, left.min(WORDS as u64 * 8))?;
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
    }
    for table in elf.relocation_tables() {
        elf.for_each_relocation(table, |entry| {
            let into = entry.address.wrapping_sub(address);
            if entry.symbol == 0
                && into % 8 == 0
                && let Some(word) = words.get_mut((into / 8) as usize)
            {
                *word = entry.addend.cast_unsigned();
            }
        })?;
    }
    Ok(words)
}
