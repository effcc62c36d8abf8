//! Entry points for fuzzing: any bytes in, no panic, bounded work. Not part of the API.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{
    DebugSearch, Image, ImageId, KernelSymbols, Limits, PerfMap, PerfMapLimits, ReadAt, Symbolizer,
    demangle, open_below,
};

/// The whole way of an ELF file: headers, symbols, PLT, mini debug info, DWARF, Go tables.
pub fn elf(data: &[u8]) {
    let bytes: Arc<[u8]> = data.into();
    let search = DebugSearch {
        binary: PathBuf::from("/nonexistent/fuzzed"),
        root: PathBuf::from("/nonexistent"),
        global: Vec::new(),
        open: open_below,
    };
    let id = ImageId::File { device: 0, inode: 0, modified_ns: 0 };
    let open = || Ok(Box::new(Arc::clone(&bytes)) as Box<dyn ReadAt>);
    let image = Image { id: &id, open: &open, search: &search };
    let limits = Limits { transient_bytes: 4 << 20, ..Limits::default() };
    let mut symbolizer = Symbolizer::new(limits);
    let spread = (0..64).map(|i| 0x1000 + i * 0x111);
    let edges = [0, 1, 0x40_1000, 0x40_1136, u64::MAX - 1, u64::MAX];
    let svmas: Vec<u64> = spread.chain(edges).collect();
    for round in [&svmas[..], &svmas[..8]] {
        let named = symbolizer.symbolize(&image, round);
        assert!(named.len() == round.len() && named.iter().all(|s| !s.lines.is_empty()));
    }
}

/// Debug sections, cut from `data` at lengths that its first bytes state, in an ELF file that is
/// otherwise good.
pub fn dwarf(data: &[u8]) {
    let names = [
        ".debug_abbrev",
        ".debug_info",
        ".debug_line",
        ".debug_str",
        ".debug_line_str",
        ".debug_ranges",
        ".debug_rnglists",
        ".debug_addr",
        ".debug_str_offsets",
        ".debug_aranges",
    ];
    let Some((lengths, mut rest)) = data.split_at_checked(names.len() * 2) else { return };
    let mut sections = Vec::new();
    for (name, length) in names.into_iter().zip(lengths.as_chunks::<2>().0) {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (bytes, after) = rest.split_at(length);
        sections.push((name, bytes));
        rest = after;
    }
    elf(&image_of(&sections));
}

/// `data` as `.gopclntab`.
pub fn go_tables(data: &[u8]) {
    elf(&image_of(&[(".gopclntab", data)]));
}

pub fn perf_map(data: &[u8]) {
    let limits = PerfMapLimits { entries: 256, name_bytes: 4096, read_bytes: 1 << 20 };
    let mut map = PerfMap::new(limits);
    for half in [&data[..data.len() / 2], &data[data.len() / 2..]] {
        let read = map.read(half);
        assert!(read.is_ok_and(|n| n <= half.len() as u64));
    }
    for address in [0, 0x1000, 0x7fff_0000_1000, u64::MAX] {
        map.lookup(address);
    }
    assert!(map.len() <= 512);
}

pub fn kallsyms(data: &[u8]) {
    if let Ok(symbols) = KernelSymbols::load(data) {
        for address in [0, 0xffff_ffff_8100_0000, u64::MAX] {
            symbols.symbolize(address);
        }
    }
}

pub fn demangling(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    for prefix in ["", "_Z", "_R", "_D", "$s", "_T0"] {
        demangle(&format!("{prefix}{name}"));
    }
}

/// An ELF file with these sections, and code from 0x1000 to 0x9000.
fn image_of(sections: &[(&str, &[u8])]) -> Vec<u8> {
    const HEADER: usize = 64;
    let mut file = vec![0; HEADER];
    file[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0");
    let mut names = vec![0];
    let mut headers = vec![section_header([0; 6])];
    let text: (&str, &[u8]) = (".text", &[]);
    for (name, bytes) in sections.iter().copied().chain([text]) {
        // SHT_PROGBITS; the code is SHT_NOBITS, allocated and executable
        let [kind, flags, address, size] =
            if name == ".text" { [8, 6, 0x1000, 0x8000] } else { [1, 0, 0, bytes.len() as u64] };
        headers.push(section_header([
            names.len() as u64,
            kind,
            flags,
            address,
            file.len() as u64,
            size,
        ]));
        names.extend_from_slice(name.as_bytes());
        names.push(0);
        file.extend_from_slice(bytes);
    }
    headers.push(section_header([0, 3, 0, 0, file.len() as u64, names.len() as u64]));
    file.extend_from_slice(&names);
    let table = (file.len() as u64).to_le_bytes();
    file[40..48].copy_from_slice(&table);
    file[58] = 64;
    file[60] = headers.len() as u8;
    file[62] = headers.len() as u8 - 1;
    file.extend(headers.concat());
    file
}

/// Name, type, flags, address, offset, size.
fn section_header([name, kind, flags, address, offset, size]: [u64; 6]) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend_from_slice(&(name as u32).to_le_bytes());
    header.extend_from_slice(&(kind as u32).to_le_bytes());
    for word in [flags, address, offset, size, 0, 0, 0] {
        header.extend_from_slice(&word.to_le_bytes());
    }
    // sh_link and sh_info together are one word
    header.truncate(64);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Elf;

    #[test]
    fn the_image_that_is_fuzzed_is_read_as_it_was_made() {
        let image = image_of(&[(".debug_info", b"abc"), (".gopclntab", b"de")]);
        let elf = Elf::parse(std::rc::Rc::new(image)).unwrap();
        let section = *elf.section(".gopclntab").unwrap();
        assert_eq!(elf.read(section.offset, section.size).unwrap(), b"de");
        assert_eq!(elf.lowest_code(), 0x1000);
    }
}
