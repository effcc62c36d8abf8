//! Records of a delimited file, read in bounded memory: lines of `maps`, entries of `environ`.
//!
//! The caller sees one record at a time in a buffer that is reused, so a reader that keeps nothing
//! allocates once, however long the file is.

use std::io::{self, Read};

/// One record, without its delimiter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) bytes: &'a [u8],
    /// The record was longer than the buffer: `bytes` is its beginning.
    pub(crate) is_cut: bool,
}

#[derive(Debug)]
pub(crate) struct Records<R> {
    reader: R,
    delimiter: u8,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    is_skipping: bool,
    is_finished: bool,
}

impl<R: Read> Records<R> {
    pub(crate) fn new(reader: R, delimiter: u8, longest_record: usize) -> Self {
        let buffer = vec![0; longest_record.max(1)].into_boxed_slice();
        Self { reader, delimiter, buffer, start: 0, end: 0, is_skipping: false, is_finished: false }
    }

    /// The next record, or `None` at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        let mut scanned = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(at) = unread[scanned..].iter().position(|&byte| byte == self.delimiter) {
                let record = self.start..self.start + scanned + at;
                self.start = record.end + 1;
                scanned = 0;
                if !std::mem::take(&mut self.is_skipping) {
                    return Ok(Some(Record { bytes: &self.buffer[record], is_cut: false }));
                }
                continue;
            }
            scanned = unread.len();
            if self.is_finished {
                let record = self.start..self.end;
                self.start = self.end;
                let is_rest = std::mem::take(&mut self.is_skipping) || record.is_empty();
                let rest = Record { bytes: &self.buffer[record], is_cut: false };
                return Ok((!is_rest).then_some(rest));
            }
            if scanned == self.buffer.len() {
                self.start = self.end;
                if !std::mem::replace(&mut self.is_skipping, true) {
                    return Ok(Some(Record { bytes: &self.buffer, is_cut: true }));
                }
                scanned = 0;
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_finished = true,
                Ok(length) => self.end += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives one byte at a time, as the worst reader would.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(1);
            self.0.read(&mut buffer[..length])
        }
    }

    fn collect(reader: impl Read, longest: usize) -> Vec<(Vec<u8>, bool)> {
        let mut records = Records::new(reader, b'\n', longest);
        let mut all = Vec::new();
        while let Some(record) = records.next().unwrap() {
            all.push((record.bytes.to_vec(), record.is_cut));
        }
        all
    }

    fn reference(input: &[u8], longest: usize) -> Vec<(Vec<u8>, bool)> {
        let mut all: Vec<_> = input
            .split(|&byte| byte == b'\n')
            .map(|record| (record[..record.len().min(longest)].to_vec(), record.len() >= longest))
            .collect();
        if input.is_empty() || input.ends_with(b"\n") {
            all.pop();
        }
        all
    }

    #[test]
    fn a_record_that_fills_the_buffer_is_cut_and_the_next_one_is_whole() {
        assert_eq!(
            collect(&b"abcdefgh\nxy\n"[..], 4),
            [(b"abcd".to_vec(), true), (b"xy".to_vec(), false)]
        );
    }

    proptest! {
        #[test]
        fn records_equal_a_split_of_the_whole(
            input in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            longest in 1_usize..20,
        ) {
            prop_assert_eq!(collect(&input[..], longest), reference(&input, longest));
            prop_assert_eq!(collect(Trickle(&input), longest), reference(&input, longest));
        }
    }
}
