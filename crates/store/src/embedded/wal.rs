//! The write-ahead log: length, CRC-32 and payload per record, many writers, one `fdatasync` for all that wait.
//!
//! Invariant: when [`Wal::append`] returns `Ok` the record is on disk. A record that could not be written whole is cut off
//! again, so the log never has a hole.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::layout::{Layout, Sequence, sync_dir};
use crate::StoreError;

const HEADER_BYTES: usize = 8;

/// The open log file.
#[derive(Debug)]
pub(super) struct Wal {
    path: PathBuf,
    file: File,
    end: Mutex<Appended>,
    durable: Mutex<u64>,
}

#[derive(Debug)]
struct Appended {
    bytes: u64,
    /// An append or a sync failed in a way that leaves the file's content unknown: it takes no more records.
    broken: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wal {
    pub(super) fn create(layout: &Layout, sequence: Sequence) -> Result<Self, StoreError> {
        let path = layout.wal_file(sequence);
        let mut options = File::options();
        let file = options.create_new(true).append(true).open(&path);
        let file = file.map_err(|e| StoreError::io("create", &path, e))?;
        sync_dir(&layout.wal_dir())?;
        let end = Mutex::new(Appended { bytes: 0, broken: false });
        Ok(Self { path, file, end, durable: Mutex::new(0) })
    }

    pub(super) fn bytes(&self) -> u64 {
        lock(&self.end).bytes
    }

    /// Whether a new log file is needed before anything can be written.
    pub(super) fn is_broken(&self) -> bool {
        lock(&self.end).broken
    }

    /// Writes a record and waits until it is durable.
    pub(super) fn append(&self, payload: &[u8]) -> Result<(), StoreError> {
        let position = self.write(payload)?;
        self.sync(position)
    }

    fn write(&self, payload: &[u8]) -> Result<u64, StoreError> {
        let mut end = lock(&self.end);
        if end.broken {
            return Err(StoreError::damaged(&self.path, "an earlier write to it failed"));
        }
        let mut record = Vec::with_capacity(HEADER_BYTES + payload.len());
        record.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        record.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
        record.extend_from_slice(payload);
        if let Err(error) = (&self.file).write_all(&record) {
            end.broken = self.file.set_len(end.bytes).is_err();
            return Err(StoreError::io("write", &self.path, error));
        }
        end.bytes += record.len() as u64;
        Ok(end.bytes)
    }

    fn sync(&self, position: u64) -> Result<(), StoreError> {
        let mut durable = lock(&self.durable);
        if *durable >= position {
            return Ok(());
        }
        let target = {
            let end = lock(&self.end);
            if end.broken {
                return Err(StoreError::damaged(&self.path, "an earlier sync of it failed"));
            }
            end.bytes
        };
        if let Err(error) = self.file.sync_data() {
            // The kernel may have dropped the dirty pages: what it says of this file from now on proves nothing.
            lock(&self.end).broken = true;
            return Err(StoreError::io("sync", &self.path, error));
        }
        *durable = target;
        Ok(())
    }
}

/// What a log file held.
pub(super) struct Replay {
    pub(super) records: u64,
    /// Bytes after the last whole record: a write that was cut off before it was acknowledged.
    pub(super) dropped_bytes: u64,
}

/// Hands each whole record of a log file to `each`. A torn or damaged record ends the log.
pub(super) fn replay(
    path: &Path,
    mut each: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<Replay, StoreError> {
    let read_error = |e| StoreError::io("read", path, e);
    let file = File::open(path).map_err(read_error)?;
    let length = file.metadata().map_err(read_error)?.len();
    let mut input = std::io::BufReader::new(file);
    let mut position = 0;
    let mut records = 0;
    let mut payload = Vec::new();
    while length - position >= HEADER_BYTES as u64 {
        let (mut size, mut crc) = ([0; 4], [0; 4]);
        input.read_exact(&mut size).map_err(read_error)?;
        input.read_exact(&mut crc).map_err(read_error)?;
        let size = u64::from(u32::from_le_bytes(size));
        if size == 0 || size > length - position - HEADER_BYTES as u64 {
            break;
        }
        payload.resize(size as usize, 0);
        input.read_exact(&mut payload).map_err(read_error)?;
        if crc32fast::hash(&payload) != u32::from_le_bytes(crc) {
            break;
        }
        each(&payload).map_err(|reason| StoreError::damaged(path, reason))?;
        position += HEADER_BYTES as u64 + size;
        records += 1;
    }
    Ok(Replay { records, dropped_bytes: length - position })
}
