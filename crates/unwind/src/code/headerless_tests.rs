//! What is found of images whose section headers are stripped, held against what is found with them.

use std::process::Command;

use object::{Object as _, ObjectSymbol as _};

use crate::image::Image;
use crate::rule::RuleKind;
use crate::{Options, build, lookup};

fn without_section_headers(image: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    image[0x28..0x30].fill(0); // e_shoff
    image[0x3c..0x40].fill(0); // e_shnum, e_shstrndx
    image
}

#[test]
fn without_section_headers_the_dynamic_section_tells_of_functions() {
    let libc = std::fs::read("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
    let start_of =
        |bytes: &[u8]| super::returned_to::start_context(&Image::open(bytes, 64 << 20).unwrap());
    let start = start_of(&libc);
    assert!(start.is_some());
    assert_eq!(start_of(&without_section_headers(&libc)), start);

    // Nothing describes musl's code.
    let musl = std::fs::read("/usr/lib/x86_64-linux-musl/libc.so").expect("musl-tools are needed");
    let [whole, stripped] = [musl.clone(), without_section_headers(&musl)]
        .map(|bytes| build(bytes.as_slice(), &Options::default()).unwrap());
    let image = object::File::parse(musl.as_slice()).unwrap();
    let functions = image.dynamic_symbols().filter(|symbol| {
        symbol.kind() == object::SymbolKind::Text && symbol.size() > 0 && symbol.is_definition()
    });
    let (mut checked, mut same) = (0, 0);
    for symbol in functions {
        for svma in symbol.address()..symbol.address() + symbol.size() {
            let [described, found] = [&whole, &stripped].map(|table| lookup(table, svma).copied());
            checked += 1;
            same += u32::from(described == found);
            let is_known = found.is_some_and(|rule| rule.kind != RuleKind::None);
            assert!(!is_known || described == found, "{svma:x}: {described:?}, {found:?}");
        }
    }
    assert!(checked > 100_000 && same * 100 >= checked * 98, "{same} of {checked}");
}

#[test]
fn without_section_headers_relocations_tell_of_stubs() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("program.c");
    std::fs::write(&source, "#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts(getenv(\"A\")); return rand(); }\n")
        .unwrap();
    for flags in [
        &["-Wl,-z,lazy"][..],
        &["-Wl,-z,now"],
        &["-Wl,-z,lazy", "-fcf-protection", "-Wl,-z,force-ibt"],
    ] {
        let output = directory.path().join("program");
        // Its stubs are not described.
        let status = Command::new("gcc")
            .arg("-fuse-ld=lld")
            .args(flags)
            .arg("-o")
            .args([&output, &source])
            .status();
        assert!(status.expect("gcc is needed").success());
        let bytes = std::fs::read(&output).unwrap();
        let [whole, stripped] = [bytes.clone(), without_section_headers(&bytes)]
            .map(|bytes| build(bytes.as_slice(), &Options::default()).unwrap());
        let image = Image::open(&bytes[..], 64 << 20).unwrap();
        let plt = image.section(".plt").expect("lld makes one");
        for svma in plt.address..plt.address + plt.size {
            let found = lookup(&stripped, svma);
            assert_eq!(found, lookup(&whole, svma), "{flags:?} {:x}", svma - plt.address);
        }
        let jumps = image
            .bytes_at(plt.address, plt.size)
            .unwrap()
            .windows(2)
            .enumerate()
            .filter(|(_, code)| *code == [0xff, 0x25]);
        for (at, _) in jumps.skip(1) {
            let rule = lookup(&whole, plt.address + at as u64).unwrap();
            assert_eq!((rule.kind, rule.cfa_offset), (RuleKind::Offset, 8), "{flags:?} {at:x}");
        }
    }
}
