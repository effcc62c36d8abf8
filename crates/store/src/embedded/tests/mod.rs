//! The embedded engine: the common behaviours, then crashes, full disks and other mishaps.

mod crash;
mod disk;
mod retention;

use std::path::Path;

use super::*;
use crate::conformance::{Harness, conformance_tests, everything};

struct Directory(tempfile::TempDir);

fn by_hand() -> Options {
    Options { background: false, ..Options::default() }
}

/// Every round of maintenance flushes, and merges every hour.
fn settling() -> Options {
    Options { flush_age: Duration::ZERO, ..by_hand() }
}

fn open(path: &Path, options: Options) -> EmbeddedStore {
    EmbeddedStore::open(path, options).expect("open")
}

impl Harness for Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn open(&self) -> Box<dyn ProfileStore> {
        Box::new(open(self.0.path(), settling()))
    }

    fn settle(&self, store: &dyn ProfileStore) {
        store.maintain(everything().to_ms).expect("maintain");
    }
}

conformance_tests!(Directory);
