//! Files made to hurt: nothing panics, and neither work nor memory follows what they claim.

use std::fs;
use std::time::Duration;

use infrared_symbolize::{Limits, Symbolizer, fuzz};
use rustix::time::{ClockId, clock_gettime};

use crate::compare;
use crate::programs::{Workshop, names, source};

/// Processor time far above what an honest file of this size takes, far below what a bomb would.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Processor time of this thread since `start`, which [`Duration::ZERO`] makes its beginning.
pub(crate) fn spent(start: Duration) -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let now = Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32);
    now.saturating_sub(start)
}

/// A small generator of our own, so that a failure can be repeated (Numerical Recipes, "ranqd1").
pub(crate) struct Random(pub(crate) u32);

impl Random {
    pub(crate) fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % below
    }
}

fn programs(workshop: &Workshop) -> Vec<(&'static str, Vec<u8>)> {
    workshop.run(&format!("gcc -O2 -g -o c {}", source("plain.c").display()));
    workshop.run(&format!("gcc -O2 -gdwarf-4 -no-pie -o dwarf4 {}", source("plain.c").display()));
    workshop.run("objcopy --compress-debug-sections=zstd c packed");
    workshop.run("objcopy --only-keep-debug c mini");
    workshop.run("xz --keep mini");
    workshop.run("objcopy --strip-all --add-section=.gnu_debugdata=mini.xz c stripped");
    workshop.run("llvm-strip --strip-sections -o headerless c");
    let read = |name| (name, fs::read(workshop.path(name)).expect("built"));
    ["c", "dwarf4", "packed", "stripped", "headerless"].into_iter().map(read).collect()
}

#[test]
fn a_truncated_file_is_never_a_reason_to_panic() {
    let workshop = Workshop::new();
    for (_, bytes) in programs(&workshop) {
        for part in 0..200 {
            fuzz::elf(&bytes[..bytes.len() * part / 200]);
        }
    }
}

#[test]
fn a_corrupted_file_is_never_a_reason_to_panic() {
    let workshop = Workshop::new();
    let start = spent(Duration::ZERO);
    let mut random = Random(7);
    for (_, bytes) in programs(&workshop) {
        for _ in 0..300 {
            let mut bytes = bytes.clone();
            for _ in 0..=random.next(20) {
                let at = random.next(bytes.len());
                bytes[at] = [0, 0xff, 0x80, 0x7f, random.next(256) as u8][random.next(5)];
            }
            fuzz::elf(&bytes);
        }
    }
    assert!(spent(start) < PATIENCE * 3, "{:?}", spent(start));
}

#[test]
fn corrupted_go_tables_are_never_a_reason_to_panic() {
    let workshop = Workshop::new();
    workshop.run(&format!("go build -o go {}", source("cgo.go").display()));
    let bytes = fs::read(workshop.path("go")).expect("built");
    let sections = workshop.output("readelf -SW go");
    let line = sections.lines().find(|l| l.contains(".gopclntab")).expect("Go's table");
    let words: Vec<&str> = line.split(']').nth(1).expect("a row").split_whitespace().collect();
    let offset = usize::from_str_radix(words[3], 16).expect("an offset");
    let svmas = compare::spread(&workshop.path("go"), 50).expect("addresses");
    let mut random = Random(11);
    for round in 0..60 {
        let mut bytes = bytes.clone();
        // the header and the first function records, then anywhere
        let reach = if round % 2 == 0 { 256 } else { 100_000 };
        for _ in 0..=random.next(8) {
            bytes[offset + random.next(reach)] = random.next(256) as u8;
        }
        fs::write(workshop.path("bad"), &bytes).expect("written");
        assert_eq!(names(&workshop.path("bad"), &svmas).len(), svmas.len());
    }
}

/// A program without debug information, with `section` added from `bytes`.
fn with_section(workshop: &Workshop, section: &str, bytes: &[u8]) {
    fs::write(workshop.path("content"), bytes).expect("written");
    workshop.run(&format!("gcc -O2 -o plain {}", source("plain.c").display()));
    workshop.run(&format!("objcopy --add-section={section}=content plain bomb"));
}

#[test]
fn mini_debug_information_that_expands_to_gigabytes_is_counted_and_given_up() {
    let workshop = Workshop::new();
    let shell = "head -c 1000000000 /dev/zero | xz -0 > zeros.xz";
    fs::write(workshop.path("make.sh"), shell).expect("written");
    workshop.run("sh make.sh");
    let packed = fs::read(workshop.path("zeros.xz")).expect("packed");
    assert!(packed.len() < 1_000_000);
    with_section(&workshop, ".gnu_debugdata", &packed);
    let mut symbolizer = Symbolizer::new(Limits::default());
    let svmas = compare::spread(&workshop.path("plain"), 100).expect("addresses");
    let start = spent(Duration::ZERO);
    let named = compare::ours(&mut symbolizer, &workshop.path("bomb"), &svmas).expect("answers");
    assert!(named.iter().any(|s| &*s.lines[0].function == "main"));
    assert_eq!(symbolizer.stats().over_budget, 1);
    assert!(spent(start) < PATIENCE, "{:?}", spent(start));
}

#[test]
fn a_compressed_section_of_false_size_gives_way_to_the_symbols() {
    let workshop = Workshop::new();
    workshop.run(&format!("gcc -O2 -g -gz=zlib -o packed {}", source("plain.c").display()));
    let whole = fs::read(workshop.path("packed")).expect("built");
    let sections = workshop.output("readelf -SW packed");
    let line = sections.lines().find(|l| l.contains(".debug_info")).expect("a section");
    let words: Vec<&str> = line.split(']').nth(1).expect("a row").split_whitespace().collect();
    let offset = usize::from_str_radix(words[3], 16).expect("an offset");
    let svmas = compare::spread(&workshop.path("packed"), 100).expect("addresses");
    // ch_size, 8 bytes into the compression header
    let cases = [(u64::MAX, 1, 0), (1 << 40, 1, 0), (1 << 20, 0, 1), (10, 0, 1), (0, 0, 1)];
    for (size, over_budget, errors) in cases {
        let mut bytes = whole.clone();
        bytes[offset + 8..offset + 16].copy_from_slice(&size.to_le_bytes());
        fs::write(workshop.path("bomb"), bytes).expect("written");
        let mut symbolizer = Symbolizer::new(Limits::default());
        let named = compare::ours(&mut symbolizer, &workshop.path("bomb"), &svmas);
        let named = named.expect("answers");
        assert!(named.iter().any(|s| &*s.lines[0].function == "main"), "{size}");
        let stats = symbolizer.stats();
        assert_eq!((stats.dwarf_over_budget, stats.source_errors), (over_budget, errors), "{size}");
    }
}

#[test]
fn debug_information_that_repeats_itself_runs_out_of_fuel() {
    // One abbreviation with as many attributes as fit, none of which has a byte, and entries that use
    // it: every byte of .debug_info costs the work of all the attributes.
    let mut abbreviations = vec![1, 0x11, 1];
    let flags = [0x3f, 0x19].repeat(60_000);
    abbreviations.extend_from_slice(&[0x11, 0x01, 0x12, 0x07, 0, 0, 2, 0x2e, 0]);
    abbreviations.extend_from_slice(&flags);
    abbreviations.extend_from_slice(&[0, 0, 0]);
    let mut body = vec![4, 0, 0, 0, 0, 0, 8, 1];
    body.extend_from_slice(&0x1000u64.to_le_bytes());
    body.extend_from_slice(&0x10_0000u64.to_le_bytes());
    body.extend(std::iter::repeat_n(2, 8 << 20));
    let mut info = (body.len() as u32).to_le_bytes().to_vec();
    info.extend_from_slice(&body);
    let workshop = Workshop::new();
    fs::write(workshop.path("info"), &info).expect("written");
    fs::write(workshop.path("abbreviations"), &abbreviations).expect("written");
    workshop.run(&format!("gcc -O2 -o plain {}", source("plain.c").display()));
    workshop.run("objcopy --add-section=.debug_info=info --add-section=.debug_abbrev=abbreviations plain bomb");
    let svmas = compare::spread(&workshop.path("plain"), 20).expect("addresses");
    let limits = Limits { transient_bytes: 4 << 20, result_bytes: 0, ..Limits::default() };
    let mut symbolizer = Symbolizer::new(limits);
    let start = spent(Duration::ZERO);
    for _ in 0..100 {
        let named = compare::ours(&mut symbolizer, &workshop.path("bomb"), &svmas);
        let named = named.expect("answers");
        assert!(named.iter().any(|s| &*s.lines[0].function == "main"));
    }
    let stats = symbolizer.stats();
    assert_eq!((stats.hits, stats.dwarf_over_budget), (0, 1), "it is tried once only");
    assert!(spent(start) < PATIENCE, "{:?}", spent(start));
}

#[test]
fn texts_of_others_are_never_a_reason_to_panic() {
    let mut random = Random(3);
    let samples: [&[u8]; 5] = [
        b"1000 10 name\n7fff00001000 ffff a b c\n",
        b"ffffffff81000000 T _text\nffffffffc0000000 t f\t[m]\n",
        b"_ZN3fooIiE3barEvRNvC6_123foo3bar_ZSt4moveIRiEONSt16remove_referenceIT_E4typeEOS2_",
        b"4shop__T3fixTSQo4CartZ3fixFQoAyaDFKiZiNkPxvZv",
        b"17MutableCollectionP1asAARzs012RandomAccessB0RzsAdHRQlE06rotatecD05IndexPQzAN_tFAQcfU_Tg5Tf4nd_n",
    ];
    for round in 0..3000 {
        let mut bytes = samples[round % samples.len()].repeat(1 + random.next(3));
        for _ in 0..random.next(10) {
            let at = random.next(bytes.len());
            bytes[at] = random.next(256) as u8;
        }
        fuzz::perf_map(&bytes);
        fuzz::kallsyms(&bytes);
        fuzz::demangling(&bytes);
    }
}
