//! Disks that are full, read-only, shared or from another version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{by_hand, open, settling};
use crate::conformance::{EPOCH_MS, everything, folded, window};
use crate::embedded::{EmbeddedStore, Options};
use crate::{ProfileStore, Selection, StoreError};

/// A small file system in memory. Needs root, as the profiler does.
struct SmallDisk(
    PathBuf,
    #[expect(dead_code, reason = "removes the mount point")] tempfile::TempDir,
);

fn mount(arguments: &[&str], at: &Path) {
    let status = Command::new("mount").args(arguments).arg(at).status().expect("mount");
    assert!(status.success(), "cannot mount a tmpfs: this test runs as root");
}

impl SmallDisk {
    fn new(size: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], dir.path());
        Self(dir.path().to_owned(), dir)
    }

    fn remount(&self, option: &str) {
        mount(&["-o", &format!("remount,{option}")], &self.0);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(status.is_ok_and(|s| s.success()), "cannot unmount");
    }
}

/// Writes windows with names that do not compress, until the store refuses one. Returns how many it took.
fn fill(store: &EmbeddedStore, first: usize) -> (usize, StoreError) {
    for index in first.. {
        let names: Vec<String> = (0..300)
            .map(|i| {
                format!(
                    "{:032x}",
                    xxhash_rust::xxh3::xxh3_128(&[
                        index as u8,
                        i as u8,
                        (i / 256) as u8,
                        (index / 256) as u8
                    ])
                )
            })
            .collect();
        let stacks: Vec<[&str; 1]> = names.iter().map(|n| [n.as_str()]).collect();
        let rows: Vec<_> = stacks.iter().map(|s| ("shop", &s[..], 1)).collect();
        if let Err(error) = store.write(&[window(EPOCH_MS + index as i64 * 1000, 1000, &rows)]) {
            return (index, error);
        }
    }
    unreachable!("a disk of a few megabytes never filled up")
}

fn total(store: &EmbeddedStore) -> u64 {
    folded(store, Selection::cpu(everything())).values().sum()
}

#[test]
fn a_full_disk_refuses_writes_and_loses_nothing() {
    let disk = SmallDisk::new("2m");
    let store = open(&disk.0, Options { flush_bytes: 600_000, ..settling() });
    let (taken, error) = fill(&store, 0);
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(taken > 10);
    assert_eq!(store.stats().writes_failed, 1);
    let acknowledged = taken as u64 * 300;
    assert_eq!(total(&store), acknowledged, "readers go on");
    assert!(store.maintain(EPOCH_MS).is_err(), "a flush needs room too");
    assert_eq!(store.stats().maintenance_failed, 1);
    assert_eq!(total(&store), acknowledged, "what could not be flushed is still there");
    drop(store);

    disk.remount("size=2200k");
    let store = open(&disk.0, settling());
    assert_eq!(total(&store), acknowledged, "after a restart");
    disk.remount("size=32m");
    store.maintain(EPOCH_MS).expect("with room the flush succeeds");
    store.write(&[window(EPOCH_MS, 1000, &[("shop", &["main"], 5)])]).expect("and writes do");
    drop(store);
    assert_eq!(total(&open(&disk.0, by_hand())), acknowledged + 5);
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let disk = SmallDisk::new("1m");
    disk.remount("ro");
    let refused = EmbeddedStore::open(disk.0.join("data"), by_hand()).expect_err("read-only");
    assert!(matches!(refused, StoreError::NotWritable { .. }), "{refused}");
    assert!(refused.to_string().contains("not writable"), "{refused}");
    let refused = EmbeddedStore::open("/dev/null/data", by_hand()).expect_err("no directory");
    assert!(matches!(refused, StoreError::NotWritable { .. }), "{refused}");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    drop(open(dir.path(), by_hand()));
    fs::write(dir.path().join("FORMAT"), "infrared-store 7\n").expect("write");
    let refused = EmbeddedStore::open(dir.path(), by_hand()).expect_err("newer");
    assert!(matches!(refused, StoreError::NewerFormat { found: 7, supported: 1, .. }), "{refused}");
    assert!(refused.to_string().contains("newer"), "{refused}");
    fs::write(dir.path().join("FORMAT"), "gibberish").expect("write");
    let refused = EmbeddedStore::open(dir.path(), by_hand()).expect_err("unknown");
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
}

#[test]
fn a_second_opener_is_told_who_has_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let first = open(dir.path(), by_hand());
    let refused = EmbeddedStore::open(dir.path(), by_hand()).expect_err("locked");
    let expected = std::process::id().to_string();
    assert!(matches!(&refused, StoreError::Locked { pid, .. } if *pid == expected), "{refused}");
    drop(first);
    drop(open(dir.path(), by_hand()));
}

#[test]
fn a_directory_of_something_else_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::write(dir.path().join("thesis.tex"), "dear").expect("write");
    let refused = EmbeddedStore::open(dir.path(), by_hand()).expect_err("foreign");
    assert!(matches!(refused, StoreError::ForeignDirectory { .. }), "{refused}");
    assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1, "nothing was created");
}
