//! What is kept of an image from one batch to the next names its addresses as the file does.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::compare;
use crate::programs::{Workshop, names, source, symbolizer};

/// Functions that hold others, that begin together, that overlap, that have no size, and such without any symbol, each described.
const INTERLEAVED: &str = "
.text
.macro function name size
.type \\name, @function
.size \\name, \\size
\\name:
.endm
.macro filled count
.cfi_startproc
.fill \\count, 1, 0x90
ret
.cfi_endproc
.endm
.globl main
.type main, @function
main: filled 40
function outer 400
filled 60
function inner 30
filled 60
function twin 20
function larger_twin 90
filled 100
label:
filled 60
filled 60
function across 100
filled 40
filled 80
filled 80
.globl reaching, within
function reaching 70
filled 20
filled 90
.cfi_startproc
.fill 30, 1, 0x90
function within 20
.fill 60, 1, 0x90
ret
.cfi_endproc
filled 80
.size main, 41
.section .note.GNU-stack
";

/// The addresses of the code.
fn code(workshop: &Workshop, file: &Path) -> Vec<Range<u64>> {
    let headers = workshop.output(&format!("readelf -lW {}", file.display()));
    let range = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["LOAD", _, address, _, _, size, flags @ ..] = &words[..] else { return None };
        let hex = |text: &str| u64::from_str_radix(&text[2..], 16).ok();
        let is_code = flags.contains(&"E") || flags.contains(&"RE") || flags.contains(&"RWE");
        is_code.then_some(hex(address)?..hex(address)? + hex(size)?)
    };
    headers.lines().filter_map(range).collect()
}

/// `count` of the addresses.
fn some_of(code: &[Range<u64>], count: usize, random: &mut u64) -> Vec<u64> {
    let all: u64 = code.iter().map(|range| range.end - range.start).sum();
    let mut next = || {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut into = (*random >> 20) % all;
        for range in code {
            let length = range.end - range.start;
            if into < length {
                return range.start + into;
            }
            into -= length;
        }
        0
    };
    (0..count).map(|_| next()).collect()
}

/// Names addresses in `batches` of `count`, with and without what was kept. Returns how many of them had to be looked up.
fn assert_same(workshop: &Workshop, file: &Path, batches: usize, count: usize, seed: u64) -> u64 {
    let code = code(workshop, file);
    assert!(!code.is_empty(), "{}", file.display());
    let (mut random, mut keeping) = (seed, symbolizer());
    for batch in 0..batches {
        let svmas = some_of(&code, count, &mut random);
        let named = compare::ours(&mut keeping, file, &svmas).expect("the file is there");
        for ((svma, kept), fresh) in svmas.iter().zip(named).zip(names(file, &svmas)) {
            assert_eq!(kept, fresh, "{} batch {batch} {svma:#x}", file.display());
        }
    }
    keeping.stats().misses
}

#[test]
fn addresses_of_programs_that_are_built_here() {
    let workshop = Workshop::new();
    fs::write(workshop.path("interleaved.s"), INTERLEAVED).unwrap();
    let (plain, asm) = (source("plain.c"), workshop.path("interleaved.s"));
    let builds = [
        ("gcc -O2", &plain),
        ("gcc -O2 -s", &plain),
        ("gcc -O2 -rdynamic -s", &plain),
        ("gcc -O2 -g", &plain),
        ("gcc -O2 -static", &plain),
        ("gcc -O2 -Wl,--no-eh-frame-hdr -s", &plain),
        ("clang -O2 -fuse-ld=lld -s", &plain),
        ("gcc", &asm),
        ("gcc -s", &asm),
        ("gcc -rdynamic -s", &asm),
    ];
    for (command, source) in builds {
        workshop.run(&format!("{command} -o program {}", source.display()));
        // Few at a time, in ever other orders: what is asked for first is kept.
        for seed in 0..10 {
            assert_same(&workshop, &workshop.path("program"), 20, 10, seed);
        }
    }
}

#[test]
fn addresses_of_large_programs_which_are_looked_up_once_a_function() {
    let workshop = Workshop::new();
    let compiler = workshop.output("gcc -print-prog-name=cc1");
    let rustc = PathBuf::from(workshop.output("rustc --print sysroot").trim()).join("lib");
    let libraries = fs::read_dir(rustc).unwrap().map(|entry| entry.unwrap().path());
    // One of them is a text that names another.
    let is_library = |path: &PathBuf| {
        path.to_string_lossy().contains(".so") && fs::read(path).unwrap().starts_with(b"\x7fELF")
    };
    let mut files: Vec<PathBuf> = libraries.filter(is_library).collect();
    files.sort();
    files.push(compiler.trim().into());
    assert!(files.len() > 1, "{files:?}");
    for file in files {
        let misses = assert_same(&workshop, &file, 8, 2000, 0);
        assert!(misses < 8 * 2000, "{}: {misses}", file.display());
    }
}
