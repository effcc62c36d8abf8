//! What is left after a crash, at any moment.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::super::layout::{SegmentName, Sequence};
use super::{by_hand, open, settling};
use crate::conformance::{EPOCH_MS, HOUR_MS, everything, folded, window};
use crate::embedded::{EmbeddedStore, Options};
use crate::{ProfileStore, Selection};

const CHILD_DIR: &str = "INFRARED_STORE_CRASH_TEST_DIR";
const CHILD_FIRST: &str = "INFRARED_STORE_CRASH_TEST_FIRST";

/// Value per leaf function, of everything.
fn leaves(store: &dyn ProfileStore) -> BTreeMap<String, u64> {
    let folded = folded(store, Selection::cpu(everything()));
    folded.into_iter().map(|(k, v)| (k.rsplit(';').next().unwrap_or("").to_owned(), v)).collect()
}

fn write_numbered(store: &dyn ProfileStore, number: i64) {
    let name = format!("f{number}");
    let at = EPOCH_MS + number * 1000;
    store.write(&[window(at, 1000, &[("shop", &["main", &name], 1)])]).expect("write");
}

/// Writes until it is killed, and says after each write that it was acknowledged.
fn child(dir: &Path) {
    let first: i64 = std::env::var(CHILD_FIRST).expect("first").parse().expect("a number");
    let options =
        Options { flush_bytes: 3000, flush_age: std::time::Duration::ZERO, ..Options::default() };
    let store = open(dir, options);
    for number in first.. {
        write_numbered(&store, number);
        println!("\nack {number}");
    }
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    if let Ok(dir) = std::env::var(CHILD_DIR) {
        return child(Path::new(&dir));
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut acknowledged = Vec::new();
    for (round, kill_after) in [1, 7, 40, 90, 33, 150].into_iter().enumerate() {
        let name = "embedded::tests::crash::every_acknowledged_write_survives_kill_9";
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", name, "--nocapture"])
            .env(CHILD_DIR, dir.path())
            .env(CHILD_FIRST, (round * 100_000).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let before = acknowledged.len();
        for line in BufReader::new(child.stdout.take().expect("stdout")).lines() {
            let line = line.expect("a line");
            acknowledged.extend(line.strip_prefix("ack ").map(|n| format!("f{n}")));
            if acknowledged.len() - before == kill_after {
                child.kill().expect("kill");
            }
        }
        child.wait().expect("wait");
        assert!(acknowledged.len() - before >= kill_after);
        let found = leaves(&open(dir.path(), by_hand()));
        for name in &acknowledged {
            assert_eq!(found.get(name), Some(&1), "{name} in round {round}");
        }
        // A write may have become durable without its acknowledgement being heard: one per round.
        assert!(found.len() <= acknowledged.len() + round + 1);
        assert!(found.values().all(|value| *value == 1), "something was counted twice");
    }
}

/// A data directory whose log holds three writes, and the offsets at which each ends.
fn three_writes() -> (tempfile::TempDir, PathBuf, Vec<u64>) {
    // In memory, where a sync costs nothing: hundreds of starts follow.
    let dir = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
    let store = open(dir.path(), by_hand());
    let mut ends = Vec::new();
    for number in 0..3 {
        write_numbered(&store, number);
        ends.push(store.shared.gate().wal.bytes());
    }
    drop(store);
    let log = dir.path().join(format!("wal/{:020}.log", 1));
    (dir, log, ends)
}

#[test]
fn a_log_torn_at_any_byte_keeps_the_writes_before() {
    let (dir, log, ends) = three_writes();
    let whole = fs::read(&log).expect("read");
    for length in 0..=whole.len() {
        fs::write(&log, &whole[..length]).expect("write");
        let store = open(dir.path(), by_hand());
        let kept = ends.iter().filter(|end| **end <= length as u64).count();
        assert_eq!(leaves(&store).len(), kept, "torn at {length}");
        let dropped = length as u64 - kept.checked_sub(1).map_or(0, |last| ends[last]);
        assert_eq!(store.stats().log_bytes_dropped, dropped);
        drop(store);
        for sequence in 2.. {
            if fs::remove_file(dir.path().join(format!("wal/{sequence:020}.log"))).is_err() {
                break;
            }
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_log_never_yields_wrong_data() {
    let (dir, log, ends) = three_writes();
    let whole = fs::read(&log).expect("read");
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 1 << (position % 8);
        fs::write(&log, &damaged).expect("write");
        let store = open(dir.path(), by_hand());
        let kept = ends.iter().filter(|end| **end <= position as u64).count();
        let expected = (0..kept).map(|n| (format!("f{n}"), 1)).collect();
        assert_eq!(leaves(&store), expected, "bit flipped in byte {position}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn arbitrary_bytes_are_no_log_record(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(super::super::codec::decode(&bytes).is_err());
    }
}

#[test]
fn a_crash_after_the_segments_and_before_the_log_is_removed_counts_nothing_twice() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path(), settling());
    write_numbered(&store, 1);
    // In the next hour: a flush writes two segments.
    write_numbered(&store, HOUR_MS / 1000 + 1);
    let log = store.shared.layout.wal_file(Sequence(1));
    let kept = fs::read(&log).expect("read");
    store.flush().expect("flush");
    assert!(!log.exists());
    assert_eq!(store.stats().segments, 2);
    drop(store);
    fs::write(&log, &kept).expect("write");
    let expected = BTreeMap::from([("f1".to_owned(), 1), ("f3601".to_owned(), 1)]);
    assert_eq!(leaves(&open(dir.path(), by_hand())), expected);

    // The same with a crash between the two segments: the missing hour comes from the log.
    let hour = dir.path().join(format!("hours/{}", (EPOCH_MS + HOUR_MS) / HOUR_MS));
    fs::remove_dir_all(hour).expect("remove");
    assert_eq!(leaves(&open(dir.path(), by_hand())), expected);
}

#[test]
fn an_hour_flushed_before_a_crash_keeps_its_rows_when_the_logs_are_flushed_again() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path(), settling());
    write_numbered(&store, 1);
    write_numbered(&store, HOUR_MS / 1000 + 1);
    let log = store.shared.layout.wal_file(Sequence(1));
    let kept = fs::read(&log).expect("read");
    store.flush().expect("flush");
    drop(store);
    fs::write(&log, &kept).expect("write");
    let second_hour = dir.path().join(format!("hours/{}", (EPOCH_MS + HOUR_MS) / HOUR_MS));
    fs::remove_dir_all(second_hour).expect("remove");
    // The first hour has a segment of log 1. Now it gets another, of logs 1 to 2.
    let store = open(dir.path(), settling());
    write_numbered(&store, 2);
    store.flush().expect("flush");
    drop(store);
    let names = ["f1", "f2", "f3601"].map(|n| (n.to_owned(), 1));
    let store = open(dir.path(), settling());
    assert_eq!(leaves(&store), BTreeMap::from(names.clone()));
    store.maintain(everything().to_ms).expect("maintain");
    assert_eq!(store.stats().segments, 2);
    assert_eq!(leaves(&store), BTreeMap::from(names));
}

#[test]
fn a_crash_during_compaction_counts_nothing_twice() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path(), settling());
    for number in 0..3 {
        write_numbered(&store, number);
        store.flush().expect("flush");
    }
    let expected = leaves(&store);
    let hour = store.shared.state().segments[0].partition;
    let names: Vec<SegmentName> = store.shared.state().segments.iter().map(|s| s.name).collect();
    let copy = |from: &Path, to: &Path| {
        let status = Command::new("cp").arg("-r").args([from, to]).status().expect("cp");
        assert!(status.success());
    };
    let aside = dir.path().join("aside");
    let partition = store.shared.layout.partition_dir(hour);
    copy(&partition, &aside);
    let merged = store.maintain(everything().to_ms).expect("maintain").segments_compacted;
    assert_eq!((merged, store.stats().segments), (3, 1));
    assert_eq!(leaves(&store), expected);
    drop(store);
    // As if the merged segment were in place and the old ones were not removed yet; and one that was never finished.
    for name in names.iter().map(ToString::to_string) {
        copy(&aside.join(&name), &partition.join(&name));
    }
    fs::create_dir(partition.join("00000000000000000009-00000000000000000009.0.tmp")).expect("dir");
    let store = open(dir.path(), by_hand());
    assert_eq!(store.stats().segments, 1);
    assert_eq!(leaves(&store), expected);
    assert_eq!(fs::read_dir(&partition).expect("list").count(), 1);
}

#[test]
fn a_damaged_segment_is_left_out_and_counted() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store: EmbeddedStore = open(dir.path(), by_hand());
    for number in 0..2 {
        write_numbered(&store, number);
        store.flush().expect("flush");
    }
    let name = store.shared.state().segments[0].name;
    let hour = store.shared.state().segments[0].partition;
    let facts = store.shared.layout.segment_dir(hour, name).join("facts.parquet");
    drop(store);
    fs::write(&facts, b"PAR1 nonsense PAR1").expect("write");
    for _ in 0..2 {
        let store = open(dir.path(), settling());
        store.maintain(everything().to_ms).expect("maintain");
        let damaged = fs::read_dir(facts.parent().and_then(Path::parent).expect("dir"))
            .expect("list")
            .filter(|e| {
                e.as_ref().is_ok_and(|e| e.path().extension().is_some_and(|x| x == "damaged"))
            });
        assert_eq!(damaged.count(), 1, "the damaged files stay for whoever can mend them");
        // `main` was in the damaged dictionary: shown as missing, never dropped.
        let found = folded(&store, Selection::cpu(everything()));
        assert_eq!(found.values().sum::<u64>(), 1, "{found:?}");
    }
}
