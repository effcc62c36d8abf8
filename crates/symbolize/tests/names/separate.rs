//! Debug information that is not in the binary, or not as it was: separate files, compressed sections,
//! mini debug information.

use std::fs;
use std::path::Path;

use infrared_symbolize::Symbolized;

use crate::compare;
use crate::programs::{Workshop, names, shown, source};

/// Ours on another form of the program equals ours on the program as it was linked.
fn same(what: &str, whole: &Path, other: &Path) {
    let svmas = compare::spread(whole, 2000).expect("addresses");
    let want: Vec<String> = shown(&names(whole, &svmas)).iter().map(|s| comparable(s)).collect();
    let got: Vec<String> = shown(&names(other, &svmas)).iter().map(|s| comparable(s)).collect();
    let different = want.iter().zip(&got).filter(|(a, b)| a != b).count();
    let example = want.iter().zip(&got).find(|(a, b)| a != b);
    assert!(different * 1000 <= svmas.len(), "{what}: {different} {example:?}");
    assert!(want.iter().any(|w| w.contains(" < ")), "{what}: nothing inlined");
}

/// Without what may differ: the module's name in what is unnamed, and the suffix of a clone or a part
/// of a function, which only the symbol has.
fn comparable(shown: &str) -> String {
    let suffixes = [".cold", ".isra.0", ".part.0", ".constprop.0"];
    let unnamed = shown.replace("other+", "whole+");
    suffixes.iter().fold(unnamed, |text, suffix| {
        text.replace(&format!(" [clone {suffix}]"), "").replace(&format!("{suffix} "), " ")
    })
}

fn built(workshop: &Workshop, flags: &str) {
    let source = source("inlines.cpp");
    workshop.run(&format!("g++ -O2 -g {flags} -o whole {}", source.display()));
}

#[test]
fn compressed_sections_give_the_same_names() {
    let workshop = Workshop::new();
    built(&workshop, "");
    for kind in ["zlib", "zstd"] {
        workshop.run(&format!("objcopy --compress-debug-sections={kind} whole other"));
        same(kind, &workshop.path("whole"), &workshop.path("other"));
    }
}

#[test]
fn a_debug_file_is_found_by_its_link_when_the_checksum_is_right() {
    let workshop = Workshop::new();
    built(&workshop, "-Wl,--build-id=none");
    workshop.run("objcopy --only-keep-debug whole other.debug");
    workshop.run("objcopy --strip-all --add-gnu-debuglink=other.debug whole other");
    let (whole, other) = (workshop.path("whole"), workshop.path("other"));
    same("beside", &whole, &other);
    fs::create_dir(workshop.path(".debug")).expect("a directory");
    fs::rename(workshop.path("other.debug"), workshop.path(".debug/other.debug")).expect("moved");
    same(".debug", &whole, &other);
    let debug = workshop.path(".debug/other.debug");
    let mut bytes = fs::read(&debug).expect("the debug file");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&debug, bytes).expect("written");
    let svmas = compare::spread(&whole, 200).expect("addresses");
    let named = names(&other, &svmas);
    assert!(named.iter().all(|s| s.lines[0].file.is_empty()), "a damaged file was used");
}

#[test]
fn a_debug_file_of_another_build_is_refused() {
    let workshop = Workshop::new();
    built(&workshop, "-Wl,--build-id=0x1111111111111111");
    workshop.run("objcopy --only-keep-debug whole other.debug");
    workshop.run("objcopy --strip-all --add-gnu-debuglink=other.debug whole other");
    same("same build", &workshop.path("whole"), &workshop.path("other"));
    workshop.run("cp whole first");
    built(&workshop, "-Wl,--build-id=0x2222222222222222");
    workshop.run("objcopy --only-keep-debug whole other.debug");
    let svmas = compare::spread(&workshop.path("first"), 200).expect("addresses");
    let named = names(&workshop.path("other"), &svmas);
    assert!(named.iter().all(|s| s.lines[0].file.is_empty()), "another build's file was used");
}

#[test]
fn mini_debug_information_names_what_stripping_removed() {
    let workshop = Workshop::new();
    built(&workshop, "-rdynamic");
    // As distributions do: the symbols of functions that .dynsym lacks, compressed.
    workshop.run("objcopy --strip-debug --remove-section=.comment whole symbols");
    workshop.run("objcopy --only-keep-debug symbols mini");
    workshop.run("xz --keep mini");
    workshop.run("objcopy --strip-all --add-section=.gnu_debugdata=mini.xz whole other");
    let (whole, other) = (workshop.path("whole"), workshop.path("other"));
    let svmas = compare::spread(&whole, 2000).expect("addresses");
    let last = |named: Vec<Symbolized>| -> Vec<Option<String>> {
        // constructors have two names for one address
        let name = |s: &Symbolized| s.lines.last().map(|l| l.function.to_string());
        named.iter().map(|s| name(s).filter(|_| !s.unnamed)).collect()
    };
    let want = last(names(&workshop.path("symbols"), &svmas));
    let got = last(names(&other, &svmas));
    let equal = want.iter().zip(&got).filter(|(want, got)| want == got).count();
    let example = want.iter().zip(&got).find(|(want, got)| want != got);
    assert!(equal * 1000 >= want.len() * 999, "{equal} of {} {example:?}", want.len());
    assert!(want.iter().flatten().count() * 10 > want.len() * 9);
    let local = |name: &String| name.starts_with("shop::parse(");
    assert!(got.iter().flatten().any(local), "a static function has its name");
}
