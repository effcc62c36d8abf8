//! What is fuzzed. The seeds of a target are in `corpus/NAME`.

use infrared_processes::image::ElfHeaders;
use infrared_processes::maps::MappingRef;

/// What inputs look like, for those who change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Bytes,
    Elf,
}

/// A reader.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    pub shape: Shape,
    pub run: fn(&[u8]),
}

const fn bytes(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, shape: Shape::Bytes, run }
}

const fn elf(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, shape: Shape::Elf, run }
}

/// Sorted by name.
pub const TARGETS: &[Target] = &[
    bytes("demangling", infrared_symbolize::fuzz::demangling),
    bytes("dwarf", infrared_symbolize::fuzz::dwarf),
    elf("elf_headers", elf_headers),
    elf("elf_symbols", infrared_symbolize::fuzz::elf),
    bytes("folded", infrared_profile::fuzz_folded),
    bytes("go_tables", infrared_symbolize::fuzz::go_tables),
    bytes("kallsyms", infrared_symbolize::fuzz::kallsyms),
    bytes("mappings", mappings),
    bytes("otlp", infrared_wire::fuzz_otlp),
    bytes("otlp_validate", infrared_wire::fuzz_otlp_validate),
    bytes("perf_map", infrared_symbolize::fuzz::perf_map),
    bytes("pprof", infrared_profile::fuzz_pprof),
    bytes("tree", infrared_profile::fuzz_tree),
    elf("unwind_tables", infrared_unwind::fuzz_build),
];

pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

fn elf_headers(data: &[u8]) {
    drop(ElfHeaders::read(data));
}

/// Lines of `/proc/PID/maps`.
fn mappings(data: &[u8]) {
    for mapping in data.split(|&byte| byte == b'\n').filter_map(MappingRef::parse) {
        mapping.to_mapping().display_name();
    }
}
