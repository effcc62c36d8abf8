//! Names and lines equal `llvm-symbolizer`'s, inlined frames included.

use std::path::Path;

use crate::compare::{self, Comparison};
use crate::programs::{Workshop, source, symbolizer};

/// Shares in percent that the names, and the lines of equal names, must reach.
const NAMES: f64 = 99.9;
const LINES: f64 = 99.9;

fn agrees(what: &str, elf: &Path, least_inlined: usize) {
    let result = compared(what, elf, least_inlined);
    let (only, total) = (result.ours_only.len(), result.total());
    assert!(only * 20 <= total, "{what}: {only} of {total} named by us only");
}

fn compared(what: &str, elf: &Path, least_inlined: usize) -> Comparison {
    let svmas = compare::spread(elf, 4000).expect("addresses");
    let result = compare::compare(&mut symbolizer(), elf, &svmas).expect("a comparison");
    let example = result.different.first().or(result.other_lines.first());
    assert!(result.names_percent() >= NAMES, "{what}: {} {example:x?}", result.names_percent());
    assert!(result.lines_percent() >= LINES, "{what}: {} {example:x?}", result.lines_percent());
    assert!(result.inlined >= least_inlined, "{what}: only {} inlined", result.inlined);
    result
}

#[test]
fn a_cpp_program_has_llvms_names_however_it_was_built() {
    let builds = [
        ("gcc", "g++ -O2 -g"),
        ("gcc dwarf 4", "g++ -O2 -gdwarf-4 -no-pie"),
        ("gcc lto", "g++ -O3 -g -flto"),
        ("gold", "g++ -O2 -g -ffunction-sections -fuse-ld=gold -Wl,--gc-sections"),
        ("lld", "clang++ -O2 -g -ffunction-sections -fuse-ld=lld -Wl,--gc-sections"),
        ("gcc zlib", "g++ -O2 -g -gz=zlib"),
        ("clang", "clang++ -O2 -g"),
        ("clang dwarf 4", "clang++ -O2 -gdwarf-4 -fno-pie -no-pie"),
        ("clang line tables", "clang++ -O2 -gline-tables-only"),
        ("clang aranges", "clang++ -O1 -g -gdwarf-aranges -ffunction-sections"),
    ];
    let workshop = Workshop::new();
    for (what, command) in builds {
        workshop.run(&format!("{command} -o program {}", source("inlines.cpp").display()));
        agrees(what, &workshop.path("program"), 200);
    }
}

#[test]
fn a_c_program_has_llvms_names_however_it_was_built() {
    let builds = [
        ("gcc", "gcc -O2 -g", 1),
        ("gcc unoptimised", "gcc -O0 -g", 0),
        ("gcc without debug information", "gcc -O2", 0),
        ("gcc static", "gcc -O2 -g -static", 1),
        ("gcc stripped", "gcc -O2 -s", 0),
        ("clang", "clang -O2 -g", 1),
        ("clang dwarf 2", "clang -O2 -gdwarf-2", 1),
    ];
    let workshop = Workshop::new();
    for (what, command, inlined) in builds {
        workshop.run(&format!("{command} -o program {}", source("plain.c").display()));
        agrees(what, &workshop.path("program"), inlined);
    }
}

#[test]
fn a_c_program_with_a_separate_debug_file_has_llvms_names() {
    let workshop = Workshop::new();
    workshop.run(&format!("gcc -O2 -g -o whole {}", source("plain.c").display()));
    workshop.run("objcopy --only-keep-debug whole program.debug");
    workshop.run("objcopy --strip-all --add-gnu-debuglink=program.debug whole program");
    // The debug file's symbols name start-up code too, which LLVM does not look up.
    let result = compared("debug link", &workshop.path("program"), 1);
    assert!(result.ours_only.iter().any(|(_, ours, _)| ours == &["_start"]));
}

#[test]
fn a_rust_program_has_llvms_names_however_it_was_built() {
    let builds = [
        ("default mangling", "rustc -O -g"),
        ("v0", "rustc -O -g -C symbol-mangling-version=v0"),
        ("lto", "rustc -O -g -C lto=fat -C codegen-units=1"),
        ("line tables", "rustc -O -C debuginfo=line-tables-only"),
    ];
    let workshop = Workshop::new();
    for (what, command) in builds {
        workshop.run(&format!("{command} -o program {}", source("generic.rs").display()));
        agrees(what, &workshop.path("program"), 500);
    }
}

#[test]
fn the_systems_libc_has_llvms_names_from_its_separate_debug_file() {
    let libc = Path::new("/lib/x86_64-linux-gnu/libc.so.6");
    agrees("libc", libc, 300);
}
