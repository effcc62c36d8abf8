//! Names in a data directory, its format version and its lock.
//!
//! ```text
//! FORMAT                               "infrared-store 1"
//! LOCK                                 held by the process that has it open; its pid
//! wal/<sequence>.log                   what is acknowledged and in no segment yet
//! hours/<hour>/<first>-<last>.<n>/     a segment: rows of that hour from the logs first..=last, five Parquet files
//! ```
//!
//! A segment appears by rename, whole. A log is read back for the hours that have no segment of it. A merged segment
//! names those that it replaces; what of these is left after a crash is removed at start-up.

use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::StoreError;

pub(super) const FORMAT_VERSION: u32 = 1;
const FORMAT_NAME: &str = "infrared-store";
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);
const HOUR_MS: i64 = 3_600_000;

/// Hours since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PartitionId(pub(super) i64);

impl PartitionId {
    pub(super) fn of(start_ms: i64) -> Self {
        Self(start_ms.div_euclid(HOUR_MS))
    }

    pub(super) fn end_ms(self) -> i64 {
        (self.0 + 1).saturating_mul(HOUR_MS)
    }
}

/// Number of a log file. A segment is named by those it was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Sequence(pub(super) u64);

/// The logs that a segment covers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) first: Sequence,
    pub(super) last: Sequence,
}

impl Span {
    pub(super) fn covers(self, sequence: Sequence) -> bool {
        self.first <= sequence && sequence <= self.last
    }
}

/// The directory name of a segment. Two of one hour can cover the same logs: a crash leaves an hour flushed and another
/// not, and the next flush covers the same logs again with new rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SegmentName {
    pub(super) span: Span,
    /// 0 for a flushed head; a merged segment has more than those it was made of.
    pub(super) generation: u32,
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span { first, last } = self.span;
        write!(f, "{:020}-{:020}.{}", first.0, last.0, self.generation)
    }
}

impl FromStr for SegmentName {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let (span, generation) = name.split_once('.').ok_or(())?;
        let (first, last) = span.split_once('-').ok_or(())?;
        let sequence = |text: &str| text.parse().map(Sequence).map_err(|_| ());
        let span = Span { first: sequence(first)?, last: sequence(last)? };
        Ok(Self { span, generation: generation.parse().map_err(|_| ())? })
    }
}

/// An open data directory. The lock is held as long as this lives.
#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
    _lock: File,
}

impl Layout {
    /// Opens or creates a data directory, alone.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(|e| not_writable(root, e))?;
        refuse_foreign(root)?;
        let lock = take_lock(root)?;
        let layout = Self { root: root.to_owned(), _lock: lock };
        layout.check_format()?;
        for dir in [layout.wal_dir(), layout.hours_dir()] {
            fs::create_dir_all(&dir).map_err(|e| not_writable(&dir, e))?;
        }
        sync_dir(root)?;
        Ok(layout)
    }

    fn check_format(&self) -> Result<(), StoreError> {
        let path = self.root.join("FORMAT");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let version = text.trim().strip_prefix(FORMAT_NAME).map(str::trim);
                match version.and_then(|v| v.parse::<u32>().ok()) {
                    Some(found) if found > FORMAT_VERSION => Err(StoreError::NewerFormat {
                        path: self.root.clone(),
                        found,
                        supported: FORMAT_VERSION,
                    }),
                    Some(_) => Ok(()),
                    None => Err(StoreError::damaged(&path, "it names no format version")),
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                write_atomically(&path, format!("{FORMAT_NAME} {FORMAT_VERSION}\n").as_bytes())
            }
            Err(e) => Err(StoreError::io("read", &path, e)),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn wal_dir(&self) -> PathBuf {
        self.root.join("wal")
    }

    pub(super) fn wal_file(&self, sequence: Sequence) -> PathBuf {
        self.wal_dir().join(format!("{:020}.log", sequence.0))
    }

    pub(super) fn hours_dir(&self) -> PathBuf {
        self.root.join("hours")
    }

    pub(super) fn partition_dir(&self, partition: PartitionId) -> PathBuf {
        self.hours_dir().join(partition.0.to_string())
    }

    pub(super) fn segment_dir(&self, partition: PartitionId, name: SegmentName) -> PathBuf {
        self.partition_dir(partition).join(name.to_string())
    }

    /// The log files present, in order.
    pub(super) fn wal_files(&self) -> Result<Vec<(Sequence, PathBuf)>, StoreError> {
        let named = |name: &str| Some(Sequence(name.strip_suffix(".log")?.parse().ok()?));
        list(&self.wal_dir(), named)
    }

    pub(super) fn partitions(&self) -> Result<Vec<(PartitionId, PathBuf)>, StoreError> {
        list(&self.hours_dir(), |name| Some(PartitionId(name.parse().ok()?)))
    }
}

/// The segments of a partition's directory, in order.
pub(super) fn segments_in(dir: &Path) -> Result<Vec<(SegmentName, PathBuf)>, StoreError> {
    list(dir, |name| name.parse().ok())
}

fn list<T: Ord>(
    dir: &Path,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<(T, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| StoreError::io("list", dir, e))? {
        let entry = entry.map_err(|e| StoreError::io("list", dir, e))?;
        if let Some(key) = entry.file_name().to_str().and_then(&parse) {
            found.push((key, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// A directory that someone filled with other things is not ours to write into.
fn refuse_foreign(root: &Path) -> Result<(), StoreError> {
    if root.join("FORMAT").exists() {
        return Ok(());
    }
    let ours = ["LOCK", "FORMAT.tmp", "wal", "hours", "lost+found"];
    let entries = fs::read_dir(root).map_err(|e| StoreError::io("list", root, e))?;
    for entry in entries {
        let name = entry.map_err(|e| StoreError::io("list", root, e))?.file_name();
        if !ours.iter().any(|known| name == *known) {
            return Err(StoreError::ForeignDirectory { path: root.to_owned() });
        }
    }
    Ok(())
}

fn take_lock(root: &Path) -> Result<File, StoreError> {
    let path = root.join("LOCK");
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(|e| not_writable(root, e))?;
    if let Err(error) = lock_patiently(&file) {
        return Err(match error {
            fs::TryLockError::WouldBlock => {
                let mut pid = String::new();
                let known = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
                let pid = if known { pid.trim().to_owned() } else { "(unknown)".to_owned() };
                StoreError::Locked { path: root.to_owned(), pid }
            }
            fs::TryLockError::Error(e) => StoreError::io("lock", &path, e),
        });
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(pid.as_bytes()))
        .map_err(|e| StoreError::io("write", &path, e))?;
    Ok(file)
}

/// A process that ends, or a child between `fork` and `exec`, can hold the lock for a moment longer.
fn lock_patiently(file: &File) -> Result<(), fs::TryLockError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            other => return other,
        }
    }
    file.try_lock()
}

fn not_writable(path: &Path, source: std::io::Error) -> StoreError {
    match StoreError::io("create", path, source) {
        StoreError::Io { path, source, .. } => StoreError::NotWritable { path, source },
        other => other,
    }
}

fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = path.with_extension("tmp");
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|e| StoreError::io("write", path, e))
}

/// Makes renames, creations and removals in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| StoreError::io("sync", dir, e))
}
