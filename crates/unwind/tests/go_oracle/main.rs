//! Rows of Go code, read from Go's own tables, equal the `.debug_frame` that the same toolchain writes into the
//! executable that is not stripped; and the special functions of its runtime have their special rules.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Command;

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, DebugFrame, LittleEndian, UnwindContext, UnwindSection,
};
use infrared_abi::{IR_GO_MORESTACK, RuntimeId};
use infrared_unwind::{CompactTable, Options, Rule, RuleKind, Slot, build, lookup};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

type Image<'d> = ElfFile64<'d, object::LittleEndian, &'d [u8]>;

/// Builds `program`, or with `cgo_program` an executable that the system's linker makes of Go and C code.
fn compile(directory: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = directory.join("output");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go_oracle").join(program);
    let cgo = if program == "cgo_program" { "1" } else { "0" };
    let status = Command::new("go")
        .arg("build")
        .args(arguments)
        .arg("-o")
        .arg(&output)
        .arg(".")
        .current_dir(source)
        .env("GOFLAGS", "-buildvcs=false")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", cgo)
        .status()
        .expect("the Go toolchain is needed");
    assert!(status.success(), "go build {arguments:?}");
    std::fs::read(output).unwrap()
}

/// Start address and name of every function.
fn functions(image: &Image<'_>) -> HashMap<u64, String> {
    let functions = image.symbols().filter(|symbol| symbol.kind() == object::SymbolKind::Text);
    functions.map(|symbol| (symbol.address(), symbol.name().unwrap().to_owned())).collect()
}

/// Functions whose rows are not what sp's height says, with a kind that occurs in them.
const SPECIAL: &[(&str, RuleKind)] = &[
    ("runtime.goexit.abi0", RuleKind::Root),
    ("runtime.mstart.abi0", RuleKind::Root),
    ("runtime.rt0_go.abi0", RuleKind::Root),
    ("_rt0_amd64", RuleKind::Root),
    ("_rt0_amd64_linux", RuleKind::Root),
    ("runtime.mcall", RuleKind::Root),
    ("runtime.clone.abi0", RuleKind::Root),
    ("runtime.morestack.abi0", RuleKind::None),
    ("runtime.systemstack.abi0", RuleKind::FramePointer),
    ("runtime.asmcgocall.abi0", RuleKind::FramePointer),
    ("runtime.cgocallback.abi0", RuleKind::FramePointer),
    ("runtime.nanotime1.abi0", RuleKind::FramePointer),
    ("runtime.sigreturn__sigaction.abi0", RuleKind::Signal),
    ("gogo", RuleKind::Unsupported),
];

/// Compares `table` with the twin's `.debug_frame` and returns how many rows were equal.
fn compare(table: &CompactTable, twin: &[u8]) -> usize {
    let image = Image::parse(twin).unwrap();
    let names = functions(&image);
    let frames = image.section_by_name(".debug_frame").unwrap().uncompressed_data().unwrap();
    let mut section = DebugFrame::new(&frames, LittleEndian);
    section.set_address_size(8);
    let bases = BaseAddresses::default();
    let mut context = UnwindContext::new();
    let mut entries = section.entries(&bases);
    let mut equal = 0;
    while let Some(entry) = entries.next().unwrap() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let fde = partial.parse(DebugFrame::cie_from_offset).unwrap();
        let name = names.get(&fde.initial_address()).map_or("", String::as_str);
        let special = SPECIAL.iter().any(|(special, _)| *special == name);
        let mut rows = fde.rows(&section, &bases, &mut context).unwrap();
        while let Some(row) = rows.next_row().unwrap() {
            if row.start_address() >= row.end_address() {
                continue;
            }
            let CfaRule::RegisterAndOffset { offset, .. } = *row.cfa() else { panic!("{row:?}") };
            for pc in [row.start_address(), row.end_address() - 1] {
                let rule = lookup(table, pc).unwrap();
                if special || rule.kind == RuleKind::FramePointer {
                    continue;
                }
                assert_eq!(
                    (rule.kind, rule.cfa_reg, i64::from(rule.cfa_offset), rule.ra),
                    (RuleKind::Offset, 7, offset, Slot::Cfa(-1)),
                    "{name} {pc:#x}"
                );
                equal += 1;
            }
        }
    }
    equal
}

/// Every rule that is in force somewhere in the function; none if the executable lacks it.
fn rules_of(table: &CompactTable, image: &Image<'_>, name: &str) -> Vec<Rule> {
    let Some(symbol) = image.symbol_by_name(name) else { return Vec::new() };
    let range = symbol.address()..symbol.address() + symbol.size();
    range.filter_map(|pc| lookup(table, pc).copied()).collect()
}

#[test]
fn rows_of_executables_of_all_kinds_equal_debug_frame() {
    let directory = tempfile::tempdir().unwrap();
    let plain = compile(directory.path(), "program", &[]);
    let stripped = compile(directory.path(), "program", &["-ldflags=-s -w"]);
    let pie = compile(directory.path(), "program", &["-buildmode=pie"]);
    let headless = without_section_headers(&stripped);
    for (image, twin) in [(&plain, &plain), (&stripped, &plain), (&headless, &plain), (&pie, &pie)]
    {
        let table = build(image.as_slice(), &Options::default()).unwrap();
        assert!(compare(&table, twin) > 10_000);
    }
}

fn without_section_headers(image: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    image[0x28..0x30].fill(0); // e_shoff
    image[0x3c..0x40].fill(0); // e_shnum, e_shstrndx
    image
}

#[test]
fn runtime_functions_have_their_rules() {
    let directory = tempfile::tempdir().unwrap();
    let plain = compile(directory.path(), "program", &[]);
    let cgo = compile(directory.path(), "cgo_program", &[]);
    let mut seen = HashSet::new();
    for bytes in [&plain, &cgo] {
        let table = build(bytes.as_slice(), &Options::default()).unwrap();
        let image = Image::parse(bytes.as_slice()).unwrap();
        for (name, kind) in SPECIAL {
            let rules = rules_of(&table, &image, name);
            assert!(rules.is_empty() || rules.iter().any(|rule| rule.kind == *kind), "{name}");
            seen.extend((!rules.is_empty()).then_some(*name));
        }
        // The runtime decides where the walk goes on, so that there is no native rule.
        let morestack = rules_of(&table, &image, "runtime.morestack.abi0");
        assert!(morestack.contains(&Rule::of_runtime(RuntimeId::Go, IR_GO_MORESTACK)));
        // A return address to it is looked up one byte before it.
        let name = "runtime.sigreturn__sigaction.abi0";
        let sigreturn = image.symbol_by_name(name).unwrap().address();
        assert_eq!(lookup(&table, sigreturn - 1), Some(&Rule::signal(0)));
    }
    assert_eq!(seen.len(), SPECIAL.len(), "{seen:?}");
}

#[test]
fn code_in_c_keeps_its_call_frame_information() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = compile(directory.path(), "cgo_program", &[]);
    let table = build(bytes.as_slice(), &Options::default()).unwrap();
    let image = Image::parse(bytes.as_slice()).unwrap();
    let rules = rules_of(&table, &image, "add");
    assert!(rules.iter().any(|rule| rule.kind == RuleKind::Offset && rule.rbx != Slot::Undefined));
}

#[test]
fn rbp_is_below_the_return_address_where_the_prologue_pushes_it() {
    const PROLOGUE: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];
    let directory = tempfile::tempdir().unwrap();
    let bytes = compile(directory.path(), "program", &[]);
    let table = build(bytes.as_slice(), &Options::default()).unwrap();
    let image = Image::parse(bytes.as_slice()).unwrap();
    let text = image.section_by_name(".text").unwrap();
    let (mut saved, mut kept) = (0, 0);
    for (start, name) in functions(&image) {
        let Ok(Some(code)) = text.data_range(start, 32) else { continue };
        let Some(rule) = lookup(&table, start) else { continue };
        if rule.kind != RuleKind::Offset {
            continue;
        }
        assert_eq!(rule.fp, Slot::Same, "{name}: nothing is saved at the entry");
        if let Some(at) = code.windows(4).position(|bytes| bytes == PROLOGUE) {
            let rule = lookup(&table, start + at as u64 + 1).unwrap();
            assert_eq!((rule.fp, rule.cfa_offset), (Slot::Cfa(-2), 16), "{name}");
            saved += 1;
        } else {
            kept += 1;
        }
    }
    assert!(saved > 1000 && kept > 100, "{saved} {kept}");
}

#[test]
fn go_s_code_and_the_function_that_shows_its_offsets_are_where_the_symbols_say() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = compile(directory.path(), "program", &[]);
    let go = build(bytes.as_slice(), &Options::default()).unwrap().go.unwrap();
    let image = Image::parse(bytes.as_slice()).unwrap();
    assert_eq!(go.text.start, image.section_by_name(".text").unwrap().address());
    let systemstack = image.symbol_by_name("runtime.systemstack.abi0").unwrap();
    let range = go.systemstack.unwrap();
    assert_eq!(range.start, systemstack.address());
    assert!(range.end >= range.start + systemstack.size());
}
