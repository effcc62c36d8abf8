//! Age and size limits.

use std::time::Duration;

use super::{open, settling};
use crate::conformance::{EPOCH_MS, HOUR_MS, everything, folded, window};
use crate::embedded::{EmbeddedStore, Options, Retention};
use crate::{ProfileStore, Selection};

/// Writes one window in each of `hours` hours.
fn fill(store: &EmbeddedStore, hours: i64) {
    for hour in 0..hours {
        let start = EPOCH_MS + hour * HOUR_MS;
        store.write(&[window(start, 1000, &[("shop", &["main", "pay"], 1)])]).expect("write");
    }
    store.flush().expect("flush");
}

fn total(store: &EmbeddedStore) -> u64 {
    folded(store, Selection::cpu(everything())).values().sum()
}

#[test]
fn hours_older_than_the_limit_are_removed_from_disk() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let age = Some(Duration::from_hours(2));
    let retention = Retention { age, bytes: None };
    let store = open(dir.path(), Options { retention, ..settling() });
    fill(&store, 6);
    let bytes = store.stats().bytes;
    let now = EPOCH_MS + 6 * HOUR_MS;
    assert_eq!(store.maintain(now).expect("maintain").partitions_dropped, 4);
    assert_eq!(total(&store), 2);
    assert!(store.stats().bytes < bytes / 2);
    let hours = || std::fs::read_dir(dir.path().join("hours")).expect("list").count();
    assert_eq!(hours(), 2);
    assert_eq!(store.range().expect("range").from_ms, EPOCH_MS + 4 * HOUR_MS);

    // Rows that come late for an hour that was dropped are whole: its dictionaries are written again.
    store.write(&[window(EPOCH_MS, 1000, &[("shop", &["main", "pay"], 1)])]).expect("write");
    store.flush().expect("flush");
    let found = folded(&store, Selection::cpu(everything()));
    assert_eq!(found, std::collections::BTreeMap::from([("shop;main;pay".to_owned(), 3)]));
    assert_eq!(store.maintain(now + 100 * HOUR_MS).expect("maintain").partitions_dropped, 3);
    assert_eq!((total(&store), hours()), (0, 0));
}

#[test]
fn the_oldest_hours_go_when_there_are_too_many_bytes() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path(), settling());
    fill(&store, 4);
    let limit = store.stats().bytes / 2 + 100;
    drop(store);
    for (bytes, left) in [(limit, 2), (1, 1)] {
        let retention = Retention { age: None, bytes: Some(bytes) };
        let store = open(dir.path(), Options { retention, ..settling() });
        store.maintain(EPOCH_MS).expect("maintain");
        assert_eq!(total(&store), left, "the newest hour always stays");
    }
}

#[test]
fn a_reader_of_a_dropped_hour_finishes_its_query() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let retention = Retention { age: Some(Duration::from_hours(1)), bytes: None };
    let store = open(dir.path(), Options { retention, ..settling() });
    fill(&store, 1);
    let held = std::sync::Arc::clone(&store.shared.state().segments);
    store.maintain(everything().to_ms).expect("maintain");
    assert_eq!(total(&store), 0);
    let mut stacks = 0;
    held[0]
        .stacks(&|_| true, &mut |_, _| {
            stacks += 1;
            Ok(())
        })
        .expect("the files are still there");
    assert_eq!(stacks, 1);
    drop(held);
    assert_eq!(std::fs::read_dir(dir.path().join("hours")).expect("list").count(), 0);
}
