//! Requests in order of time: in memory while the server takes them, on disk while it does not. Bounded in both; what
//! does not fit is dropped oldest first, and counted.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
};

use super::spool::{Spool, Waiting};

/// Bytes that may wait in memory: with a server that works that is a window or two, else the disk has failed.
const MEMORY_BYTES: u64 = 16 << 20;

/// Names of the reasons why requests were dropped.
pub(super) mod dropped {
    pub(in super::super) const SPOOL_FULL: &str = "spool full";
    pub(in super::super) const NO_DISK: &str = "spool not writable";
    pub(in super::super) const UNREADABLE: &str = "spool not readable";
    pub(in super::super) const REFUSED: &str = "refused by the server";
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Queue {
    spool: Spool,
    limit_bytes: u64,
    entries: VecDeque<Entry>,
    next_sequence: u64,
    dropped: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
struct Entry {
    sequence: u64,
    bytes: u64,
    /// `None`: on disk.
    request: Option<Vec<u8>>,
}

impl Queue {
    /// A queue that begins with what waits in the spool; at most `limit_bytes` of it are kept.
    pub(super) fn new(spool: Spool, waiting: &[Waiting], limit_bytes: u64) -> Self {
        let entry = |waiting: &Waiting| Entry {
            sequence: waiting.sequence,
            bytes: waiting.bytes,
            request: None,
        };
        let entries: VecDeque<Entry> = waiting.iter().map(entry).collect();
        let next_sequence = entries.back().map_or(1, |last| last.sequence.saturating_add(1));
        let mut queue =
            Self { spool, limit_bytes, entries, next_sequence, dropped: BTreeMap::new() };
        queue.make_room();
        queue
    }

    /// Appends a request, in memory.
    pub(super) fn push(&mut self, request: Vec<u8>) {
        let (sequence, bytes) = (self.next_sequence, request.len() as u64);
        self.next_sequence += 1;
        self.entries.push_back(Entry { sequence, bytes, request: Some(request) });
    }

    /// Moves to disk what waits in memory. What the disk does not take stays, as far as memory may hold it; the error
    /// is the disk's.
    pub(super) fn spill(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for entry in &mut self.entries {
            let Some(request) = &entry.request else { continue };
            match self.spool.write(entry.sequence, request) {
                Ok(()) => entry.request = None,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.make_room();
        while self.bytes(true) > MEMORY_BYTES {
            let oldest = self.entries.iter().position(|entry| entry.request.is_some());
            let Some(oldest) = oldest else { break };
            self.entries.remove(oldest);
            self.count(dropped::NO_DISK);
        }
        result
    }

    /// Drops the oldest on disk until the rest is within the limit.
    fn make_room(&mut self) {
        while self.bytes(false) > self.limit_bytes {
            let Some(oldest) = self.entries.iter().position(|entry| entry.request.is_none()) else {
                return;
            };
            let Some(entry) = self.entries.remove(oldest) else { return };
            self.remove_file(entry.sequence);
            self.count(dropped::SPOOL_FULL);
        }
    }

    /// The oldest request and its number. One that cannot be read is dropped.
    pub(super) fn front(&mut self) -> Option<(u64, Vec<u8>)> {
        loop {
            let entry = self.entries.front()?;
            if let Some(request) = &entry.request {
                return Some((entry.sequence, request.clone()));
            }
            let sequence = entry.sequence;
            match self.spool.read(sequence) {
                Ok(request) => return Some((sequence, request)),
                Err(error) => {
                    tracing::warn!(%error, "a request in the spool cannot be read");
                    self.entries.pop_front();
                    self.count(dropped::UNREADABLE);
                }
            }
        }
    }

    /// Done with the request `sequence`, if it still waits: meanwhile it may have been dropped.
    pub(super) fn pop(&mut self, sequence: u64) {
        if self.entries.front().is_some_and(|entry| entry.sequence == sequence)
            && let Some(entry) = self.entries.pop_front()
            && entry.request.is_none()
        {
            self.remove_file(sequence);
        }
    }

    /// Counts a request that will not be delivered.
    pub(super) fn count(&mut self, reason: &'static str) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    pub(super) fn dropped(&self) -> &BTreeMap<&'static str, u64> {
        &self.dropped
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes that wait in memory, or on disk.
    pub(super) fn bytes(&self, in_memory: bool) -> u64 {
        let there = self.entries.iter().filter(|entry| entry.request.is_some() == in_memory);
        there.map(|entry| entry.bytes).sum()
    }

    fn remove_file(&self, sequence: u64) {
        if let Err(error) = self.spool.remove(sequence) {
            tracing::warn!(%error, "a request in the spool cannot be removed: it may be sent again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn queue(dir: &TempDir, limit_bytes: u64) -> Queue {
        let (spool, waiting) = Spool::open(dir.path()).unwrap();
        Queue::new(spool, &waiting, limit_bytes)
    }

    fn drain(queue: &mut Queue) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some((sequence, request)) = queue.front() {
            all.push(request[0]);
            queue.pop(sequence);
        }
        all
    }

    #[test]
    fn requests_come_out_in_order_from_memory_and_disk() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = queue(&dir, 1000);
        first.push(vec![1]);
        first.push(vec![2]);
        first.spill().unwrap();
        first.push(vec![3]);
        assert_eq!((first.bytes(true), first.bytes(false), first.len()), (1, 2, 3));
        assert_eq!(drain(&mut first), [1, 2, 3]);
    }

    #[test]
    fn what_was_spilled_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = queue(&dir, 1000);
        first.push(vec![1]);
        first.push(vec![2]);
        first.spill().unwrap();
        drop(first);
        let mut second = queue(&dir, 1000);
        second.push(vec![3]);
        assert_eq!(drain(&mut second), [1, 2, 3]);
        drop(second);
        assert_eq!(queue(&dir, 1000).len(), 0, "what was sent is gone");
    }

    #[test]
    fn the_oldest_give_way_and_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut queue = queue(&dir, 250);
        for number in 1..=5 {
            queue.push(vec![number; 100]);
            queue.spill().unwrap();
        }
        assert_eq!(queue.dropped(), &BTreeMap::from([(dropped::SPOOL_FULL, 3)]));
        assert_eq!(drain(&mut queue), [4, 5]);
    }

    #[test]
    fn a_disk_that_fails_leaves_the_requests_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let mut queue = queue(&dir, 1 << 30);
        std::fs::remove_dir_all(dir.path()).unwrap();
        for number in 1..=5 {
            queue.push(vec![number; 5 << 20]);
            assert!(queue.spill().is_err());
        }
        assert_eq!(queue.dropped(), &BTreeMap::from([(dropped::NO_DISK, 2)]));
        assert_eq!(drain(&mut queue), [3, 4, 5]);
    }

    #[test]
    fn a_request_that_vanished_from_the_disk_is_counted_and_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut queue = queue(&dir, 1000);
        queue.push(vec![1]);
        queue.spill().unwrap();
        queue.push(vec![2]);
        std::fs::remove_file(dir.path().join("00000000000000000001.otlp")).unwrap();
        assert_eq!(drain(&mut queue), [2]);
        assert_eq!(queue.dropped(), &BTreeMap::from([(dropped::UNREADABLE, 1)]));
    }
}
