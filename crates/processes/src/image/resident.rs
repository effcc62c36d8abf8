//! Memory of another process page by page: which of it is there, and which is still the file's.
//!
//! Reading a page that is not there has it read from its file, by whoever serves that. `process_vm_readv(2)` waits for it in a way
//! that the end of our process ends, and without the lock of the address space; `/proc/PID/mem` does neither.

#![expect(unsafe_code, reason = "process_vm_readv has no safe interface")]

use std::io;
use std::os::unix::fs::FileExt;

use crate::maps::Mapping;
use crate::{Error, Pid, ProcessDir};

/// What is known of a page without touching it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// It is where the process left it last: reading it may ask for the file.
    Away,
    /// The file's, unchanged.
    Shared,
    /// The process has written to it: the dynamic loader has, or a debugger.
    Own,
}

/// `Documentation/admin-guide/mm/pagemap.rst`
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const OF_FILE: u64 = 1 << 61;
const ENTRY: u64 = 8;

/// The pages of a mapping, at most `most`.
pub(super) fn pages_of(
    process: &ProcessDir,
    mapping: &Mapping,
    most: u64,
) -> Result<Vec<Page>, Error> {
    let size = rustix::param::page_size() as u64;
    let count = ((mapping.end - mapping.start) / size).min(most);
    let map = process.open("pagemap")?;
    let mut entries = vec![0; (count * ENTRY) as usize];
    let read = map.read_exact_at(&mut entries, mapping.start / size * ENTRY);
    read.map_err(|error| process.failed("pagemap", error))?;
    Ok(entries.as_chunks().0.iter().map(|entry| page(u64::from_ne_bytes(*entry))).collect())
}

fn page(entry: u64) -> Page {
    match (entry & (PRESENT | SWAPPED), entry & OF_FILE) {
        (0, _) => Page::Away,
        (_, 0) => Page::Own,
        (PRESENT, _) => Page::Shared,
        _ => Page::Away,
    }
}

/// Fills `buffer` from the runtime address `avma`.
pub(super) fn read(pid: Pid, avma: u64, buffer: &mut [u8]) -> io::Result<()> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: avma as *mut libc::c_void, iov_len: buffer.len() };
    let id = libc::pid_t::try_from(pid.0).map_err(|_| io::ErrorKind::NotFound)?;
    // SAFETY: the one local range is `buffer`, which is ours alone meanwhile; the remote one is not of our memory.
    let read = unsafe { libc::process_vm_readv(id, &raw const local, 1, &raw const remote, 1, 0) };
    match usize::try_from(read) {
        Ok(length) if length == buffer.len() => Ok(()),
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_there_is_away_and_one_that_was_written_to_is_its_process_s() {
        for (entry, expected) in [
            (0, Page::Away),
            (OF_FILE, Page::Away),
            (SWAPPED | OF_FILE, Page::Away),
            (PRESENT | OF_FILE, Page::Shared),
            (PRESENT, Page::Own),
            (SWAPPED, Page::Own),
        ] {
            assert_eq!(page(entry), expected, "{entry:x}");
        }
    }
}
