//! Damaged and malicious images: an error or a well-formed table, soon, and never a panic.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod elf;

use std::time::{Duration, Instant};

use elf::{Fde, TEXT, TEXT_LEN, image};
use infrared_unwind::{Error, Options, Rule, RuleKind, build, fuzz_build, lookup};
use proptest::prelude::*;

const NOP: u8 = 0x00;

fn kind_at(image: &[u8], svma: u64) -> RuleKind {
    let table = build(image, &Options::default()).unwrap();
    lookup(&table, svma).map_or(RuleKind::None, |rule| rule.kind)
}

#[test]
fn ranges_that_cannot_be_are_left_out_and_the_others_kept() {
    let cases: [(&str, Fde); 7] = [
        ("zero length", Fde::plain(TEXT + 0x100, 0)),
        ("outside the code", Fde::plain(0x10, 0x100)),
        ("wraps around", Fde::plain(u64::MAX - 0x10, 0x100)),
        ("wraps into the code", Fde::plain(TEXT - 0x10_0000, u64::MAX)),
        ("beyond 48 bits", Fde::plain(1 << 48, 0x100)),
        ("longer than 4 GiB", Fde::plain(TEXT, 1 << 33)),
        ("no such instruction", Fde { start: 0x10, len: 8, instructions: vec![0x3f; 8] }),
    ];
    for (what, fde) in cases {
        let bytes = image(&[fde, Fde::plain(TEXT + 0x1000, 0x100)]);
        assert_eq!(kind_at(&bytes, TEXT + 0x1080), RuleKind::Offset, "{what}");
        assert_eq!(kind_at(&bytes, TEXT + 0x1100), RuleKind::None, "{what}");
        assert_eq!(kind_at(&bytes, TEXT + 0x180), RuleKind::None, "{what}");
    }
}

#[test]
fn instructions_that_fail_make_the_rest_of_a_range_unsupported() {
    // CFA = rsp + 16; 16 bytes on: an unknown instruction
    let fde = Fde { start: TEXT, len: 0x100, instructions: vec![0x0e, 16, 0x50, 0x3f] };
    let bytes = image(&[fde]);
    assert_eq!(kind_at(&bytes, TEXT + 0xf), RuleKind::Offset);
    assert_eq!(kind_at(&bytes, TEXT + 0x10), RuleKind::Unsupported);
    assert_eq!(kind_at(&bytes, TEXT + 0xff), RuleKind::Unsupported);
}

#[test]
fn a_range_ends_where_the_next_one_begins_as_the_run_time_libraries_have_it() {
    let other = Fde { start: TEXT + 0x80, len: 0x100, instructions: vec![0x0e, 32] };
    let table = build(image(&[other, Fde::plain(TEXT, 0x100)]).as_slice(), &Options::default());
    let table = table.unwrap();
    let offset = |svma| lookup(&table, svma).map(|rule| rule.cfa_offset);
    assert_eq!(offset(TEXT + 0x7f), Some(16));
    assert_eq!(offset(TEXT + 0x80), Some(32));
    assert_eq!(offset(TEXT + 0x17f), Some(32));
    assert_eq!(lookup(&table, TEXT + 0x180), Some(&Rule::NONE));
    assert_eq!(table.stats.overlaps, 1);
}

#[test]
fn a_range_over_many_pages_has_a_row_in_each() {
    let table =
        build(image(&[Fde::plain(TEXT, TEXT_LEN)]).as_slice(), &Options::default()).unwrap();
    assert_eq!(table.pages.len() as u64, TEXT_LEN >> 16);
    assert_eq!(table.rows.len(), table.pages.len());
}

#[test]
fn more_rows_than_allowed_are_an_error() {
    let fdes: Vec<Fde> = (0..64).map(|index| Fde::plain(TEXT + index * 64, 16)).collect();
    let options = Options { max_rows: 32, ..Options::default() };
    assert_eq!(
        build(image(&fdes).as_slice(), &options).unwrap_err(),
        Error::TooManyRows { limit: 32 }
    );
}

#[test]
fn a_description_that_is_run_for_many_pieces_costs_bounded_time() {
    // One description of everything, of a million instructions, in the holes between many others.
    let mut fdes: Vec<Fde> = (0..4000).map(|index| Fde::plain(TEXT + 8 + index * 64, 32)).collect();
    fdes.push(Fde { start: TEXT, len: TEXT_LEN, instructions: vec![NOP; 1_000_000] });
    let bytes = image(&fdes);
    let started = Instant::now();
    fuzz_build(&bytes);
    build(bytes.as_slice(), &Options::default()).unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn no_image_at_all_is_an_error() {
    let cases: [(&[u8], &str); 4] = [
        (b"", "not a 64-bit little-endian ELF image"),
        (b"\x7fELF", "not a 64-bit little-endian ELF image"),
        (&[0; 4096], "not a 64-bit little-endian ELF image"),
        (b"#!/bin/sh\necho a script, which is not an image, whatever its length may be\n", "not a"),
    ];
    for (bytes, message) in cases {
        let error = build(bytes, &Options::default()).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let mut other_machine = image(&[]);
    other_machine[18] = 243;
    let error = build(other_machine.as_slice(), &Options::default()).unwrap_err();
    assert_eq!(error, Error::UnsupportedMachine(243));
}

#[test]
fn every_truncation_of_an_image_is_survived() {
    let bytes = std::fs::read("/usr/bin/true").unwrap();
    for len in (0..bytes.len()).step_by(97) {
        fuzz_build(&bytes[..len]);
    }
}

/// Images that use all parts of the crate: frame information, code without it, and none but the dynamic linker's tables.
fn real_images() -> Vec<Vec<u8>> {
    let paths = ["/usr/bin/true", "/usr/lib/x86_64-linux-musl/libc.so"];
    let mut images: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let mut headerless = images[0].clone();
    headerless[0x28..0x30].fill(0); // e_shoff
    headerless[0x3c..0x40].fill(0); // e_shnum, e_shstrndx
    images.push(headerless);
    images.push(image(&[Fde::plain(TEXT, 0x100), Fde::plain(TEXT + 0x100, 0x200)]));
    images
}

/// A place in a file: anywhere, or in its first 4 KiB, where the headers are, or in its last 64 KiB.
fn place() -> impl Strategy<Value = (u8, u64)> {
    (0_u8..3, any::<u64>())
}

fn resolve(image: &[u8], (region, seed): (u8, u64)) -> usize {
    let len = image.len() as u64;
    let at = match region {
        0 => seed % len,
        1 => seed % len.min(4096),
        _ => len - 1 - seed % len.min(65536),
    };
    at as usize
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn images_with_changed_bytes_are_survived(
        which in 0_usize..4,
        changes in prop::collection::vec((place(), any::<u8>()), 1..40),
        words in prop::collection::vec((place(), any::<u64>()), 0..4),
    ) {
        let mut image = real_images().swap_remove(which);
        for (at, byte) in changes {
            let at = resolve(&image, at);
            image[at] = byte;
        }
        for (at, word) in words {
            let at = resolve(&image, at) & !7;
            if let Some(place) = image.get_mut(at..at + 8) {
                place.copy_from_slice(&word.to_le_bytes());
            }
        }
        fuzz_build(&image);
    }

    #[test]
    fn any_instructions_are_survived(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20),
        starts in prop::collection::vec((0..TEXT_LEN, 0_u64..0x2000), 20),
    ) {
        let fdes: Vec<Fde> = bodies
            .into_iter()
            .zip(starts)
            .map(|(instructions, (start, len))| Fde { start: TEXT + start, len, instructions })
            .collect();
        fuzz_build(&image(&fdes));
    }
}
