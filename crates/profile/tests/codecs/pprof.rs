use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use infrared_profile::folded::{self, Unit};
use infrared_profile::pprof::{self, ReadError, ReadLimits};
use infrared_profile::{FrameKind, Profile, Series, ValueType, frames, labels};
use proptest::prelude::*;

use crate::folded::text;
use crate::profiles::{PERIOD_NS, START_NS, any_profile, shop};

fn written(profile: &Profile) -> Vec<u8> {
    let mut out = Vec::new();
    pprof::write(profile, &["made by a test"], &mut out).unwrap();
    out
}

fn read(bytes: &[u8]) -> Result<Vec<Profile>, ReadError> {
    pprof::read(bytes, &ReadLimits::default())
}

/// Value per series and names: what pprof can carry.
fn carried(profile: &Profile) -> BTreeMap<(Series, Vec<String>), u64> {
    let mut sums = BTreeMap::new();
    for sample in profile.samples.iter().filter(|sample| sample.value > 0) {
        let stack = profile.stack(sample.stack).unwrap();
        let names = frames::root_first(profile, stack).map(|f| {
            let module = f.module.and_then(|id| profile.module(id));
            let path = module.map_or("", |module| profile.strings.get(module.path));
            format!("{} {path} {:x} {} {}", f.name, f.address, f.inlined, f.line.line)
        });
        let series = profile.series(sample.series).unwrap().clone();
        *sums.entry((series, names.collect())).or_insert(0) += sample.value;
    }
    sums
}

proptest! {
    #[test]
    fn reading_gives_the_written_profile_back(profile in any_profile()) {
        let again = read(&written(&profile)).unwrap();
        prop_assert_eq!(again.len(), 1);
        prop_assert_eq!(carried(&again[0]), carried(&profile));
        prop_assert_eq!(&again[0].value_type, &profile.value_type);
        prop_assert_eq!(again[0].start_ns, START_NS);
        prop_assert_eq!(again[0].duration_ns, profile.duration_ns);
        prop_assert_eq!(again[0].period_ns, PERIOD_NS);
    }

    #[test]
    fn no_changed_profile_makes_the_reader_panic(
        profile in any_profile(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = inflated(&written(&profile));
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        infrared_profile::fuzz_pprof(&bytes);
    }
}

fn inflated(gzip: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(gzip), &mut out).unwrap();
    out
}

#[test]
fn kernel_and_truncated_frames_are_known_by_their_names() {
    let again = read(&written(&shop())).unwrap();
    let count = |kind| again[0].locations.iter().filter(|location| location.kind == kind).count();
    assert_eq!((count(FrameKind::Kernel), count(FrameKind::Truncated)), (1, 1));
    assert_eq!(again[0].series.iter().next().unwrap()[labels::SERVICE], "shop");
}

#[test]
fn a_bomb_is_refused_before_it_is_taken_in() {
    let zeros = gzip(&vec![0; 1 << 20]);
    let small = ReadLimits { inflated_bytes: 1 << 16, ..ReadLimits::default() };
    assert!(
        matches!(pprof::read(&zeros, &small), Err(ReadError::Inflated(limit)) if limit == 1 << 16)
    );
    // 2 bytes each on the wire
    let samples = gzip(&[0x12, 0].repeat(1 << 20));
    let error =
        pprof::read(&samples, &ReadLimits { decoded_bytes: 1 << 24, ..ReadLimits::default() });
    assert!(matches!(error, Err(ReadError::TooMuch(_))));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn broken_profiles_are_refused_with_a_reason() {
    let cases: [(&str, &[u8], &str); 6] = [
        ("gzip", &[0x1f, 0x8b, 8, 0], "cannot decompress the pprof profile"),
        ("cut", &[0x0a, 5, 1], "cannot take the pprof profile in"),
        // sample type {kind 1}
        ("string", &[0x0a, 2, 0x08, 1], "string 1 of the pprof profile does not exist"),
        // sample type {}, sample {location 4, value 1}
        (
            "location",
            &[0x0a, 0, 0x12, 4, 0x08, 4, 0x10, 1],
            "location 4 of the pprof profile does not exist",
        ),
        // sample type {}, sample {value 1, value 1}
        (
            "values",
            &[0x0a, 0, 0x12, 4, 0x10, 1, 0x10, 1],
            "a sample of the pprof profile has 2 values for 1 types",
        ),
        // mapping {id 1} twice
        (
            "twice",
            &[0x0a, 0, 0x1a, 2, 8, 1, 0x1a, 2, 8, 1],
            "the pprof profile has two mappings with id 1",
        ),
    ];
    for (what, bytes, message) in cases {
        assert_eq!(read(bytes).unwrap_err().to_string(), message, "{what}");
    }
    let negative = [&[0x0a, 0, 0x12, 11, 0x10][..], &[0xff; 9], &[1]].concat();
    assert!(matches!(read(&negative), Err(ReadError::Negative)));
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Output of `go tool pprof` with `flags` on the written profile.
fn go_pprof(profile: &Profile, file: &str, flags: &[&str]) -> String {
    let path = scratch(file);
    std::fs::write(&path, written(profile)).unwrap();
    let mut command = Command::new("go");
    let output = command.args(["tool", "pprof"]).args(flags).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn go_tool_pprof_shows_the_same_functions_and_total() {
    let profile = shop();
    let top = go_pprof(&profile, "top.pb.gz", &["-top", "-sample_index=samples"]);
    assert!(top.contains("100% of 15 total"), "{top}");
    for (name, own, with_callees) in
        [("walk", 5, 5), ("main", 0, 10), ("next", 2, 5), ("ksys_read", 3, 3)]
    {
        let row = top.lines().find(|line| line.split_whitespace().nth(5) == Some(name)).unwrap();
        let words: Vec<_> = row.split_whitespace().collect();
        assert_eq!((words[0], words[3]), (&*own.to_string(), &*with_callees.to_string()), "{row}");
    }
    let comments = go_pprof(&profile, "comments.pb.gz", &["-comments"]);
    assert!(comments.contains("made by a test"));
}

#[test]
fn go_tool_pprof_reads_time_and_labels() {
    let flags = ["-top", "-sample_index=cpu", "-unit=ns", "-tagfocus=service=api"];
    let top = go_pprof(&shop(), "time.pb.gz", &flags);
    assert!(top.contains(&format!("{}ns", 4 * PERIOD_NS)), "{top}");
    assert!(top.contains("runtime.goexit") && !top.contains("walk"), "{top}");
}

/// Sums of `go tool pprof -traces` by stack, leaf first, without the labels.
fn traces(profile: &Profile, file: &str) -> BTreeMap<Vec<String>, u64> {
    let output = go_pprof(profile, file, &["-traces", "-sample_index=samples"]);
    let mut sums = BTreeMap::new();
    for block in output.split("-----------+").skip(1) {
        let mut lines = block.lines().skip(1).filter(|line| !line.contains(":  ")).peekable();
        let Some(first) = lines.peek() else { continue };
        let value: u64 = first.split_whitespace().next().unwrap().parse().unwrap();
        let name = |line: &str| {
            let words = line.trim().strip_prefix(&format!("{value} ")).unwrap_or(line).trim();
            words.trim_end_matches(" (inline)").to_owned()
        };
        *sums.entry(lines.map(name).collect()).or_insert(0) += value;
    }
    sums
}

#[test]
fn go_tool_pprof_traces_are_the_folded_stacks() {
    let profile = shop();
    let folded = text(&profile, Unit::Samples);
    let mut expected: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for line in folded::parse(&folded).unwrap() {
        let names = line.frames.iter().rev();
        let names = names.map(|n| {
            n.trim_end_matches("_[g]")
                .trim_end_matches("_[i]")
                .trim_end_matches("_[k]")
                .replace(':', ";")
        });
        let names: Vec<_> = names.map(|n| n.replace("[truncated; ", "[truncated: ")).collect();
        *expected.entry(names).or_insert(0) += line.count;
    }
    assert_eq!(traces(&profile, "traces.pb.gz"), expected);
}

#[test]
fn every_value_type_of_a_foreign_profile_is_read() {
    let mut time = shop();
    time.value_type = ValueType { kind: "off_cpu".into(), unit: "nanoseconds".into() };
    time.period_ns = 0;
    let again = read(&written(&time)).unwrap();
    assert_eq!((again.len(), &again[0].value_type, again[0].period_ns), (1, &time.value_type, 0));
}
