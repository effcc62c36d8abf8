//! Entry points for fuzzing: any bytes in, no panic, bounded work. Not part of the API.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{
    DebugSearch, Image, ImageId, KernelSymbols, Limits, PerfMap, PerfMapLimits, ReadAt, Symbolizer,
    demangle,
};

/// The whole way of an ELF file: headers, symbols, PLT, mini debug info, DWARF, Go tables.
pub fn elf(data: &[u8]) {
    let bytes: Arc<[u8]> = data.into();
    let search = DebugSearch {
        binary: PathBuf::from("/nonexistent/fuzzed"),
        root: PathBuf::from("/nonexistent"),
        global: Vec::new(),
    };
    let id = ImageId::File { device: 0, inode: 0, modified_ns: 0 };
    let open = || Ok(Box::new(Arc::clone(&bytes)) as Box<dyn ReadAt>);
    let image = Image { id: &id, open: &open, search: &search };
    let limits = Limits { transient_bytes: 4 << 20, ..Limits::default() };
    let mut symbolizer = Symbolizer::new(limits);
    let spread = (0..64).map(|i| 0x1000 + i * 0x111);
    let svmas: Vec<u64> =
        spread.chain([0, 1, 0x40_1000, 0x40_1136, u64::MAX - 1, u64::MAX]).collect();
    for round in [&svmas[..], &svmas[..8]] {
        let named = symbolizer.symbolize(&image, round);
        assert!(named.len() == round.len() && named.iter().all(|s| !s.lines.is_empty()));
    }
}

pub fn perf_map(data: &[u8]) {
    let mut map =
        PerfMap::new(PerfMapLimits { entries: 256, name_bytes: 4096, read_bytes: 1 << 20 });
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
            symbols.lookup(address);
        }
    }
}

pub fn demangling(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    for prefix in ["", "_Z", "_R"] {
        demangle(&format!("{prefix}{name}"));
    }
}
