//! `perf_event_open`, and the ring buffer that the kernel fills for an event.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering, fence},
};

use perf_event_open_sys::{bindings, perf_event_open};
use rustix::mm::ProtFlags;

use crate::{error::KernelError, mapped::Mapped};

/// An event on one CPU, for all processes.
pub(crate) fn open_on_cpu(attr: &mut bindings::perf_event_attr, cpu: u32) -> io::Result<OwnedFd> {
    attr.size = size_of::<bindings::perf_event_attr>() as u32;
    // SAFETY: attr is a valid, fully initialised structure of the size that it states.
    let fd =
        unsafe { perf_event_open(attr, -1, cpu as i32, -1, bindings::PERF_FLAG_FD_CLOEXEC.into()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The records that the kernel writes for an event: a page of state, then a ring of `pages` pages.
#[derive(Debug)]
pub(crate) struct PerfRing {
    fd: OwnedFd,
    mapped: Mapped,
    data_length: usize,
}

const PAGE: usize = 4096;
/// Bytes of the largest record that we ask for: a mapping, with a path of `PATH_MAX` (include/uapi/linux/limits.h).
const LARGEST_RECORD: u64 = 4096 + 256;

impl PerfRing {
    /// Maps the ring of `fd`; `pages` is a power of two.
    pub(crate) fn new(fd: OwnedFd, pages: usize) -> Result<Self, KernelError> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let whole = (0, (pages + 1) * PAGE);
        let mapped = Mapped::new("perf ring buffer", fd.as_fd(), protection, whole)?;
        Ok(Self { fd, mapped, data_length: pages * PAGE })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Hands every waiting record (header included) to `each`, and gives their room back. Returns whether there was hardly
    /// any room left: the kernel may have had to leave records out.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(&[u8])) -> bool {
        let page = self.mapped.start().cast::<bindings::perf_event_mmap_page>();
        // SAFETY: the first page of the mapping is the kernel's state page; both counters are aligned u64s in it that
        // the kernel and we access atomically.
        let (head, tail) = unsafe {
            (
                AtomicU64::from_ptr(&raw mut (*page).data_head),
                AtomicU64::from_ptr(&raw mut (*page).data_tail),
            )
        };
        let end = head.load(Ordering::Acquire);
        fence(Ordering::Acquire);
        let mut position = tail.load(Ordering::Relaxed);
        let was_full = end.saturating_sub(position) + LARGEST_RECORD > self.data_length as u64;
        let mut record = Vec::new();
        while position < end {
            record.clear();
            self.copy(position, size_of::<bindings::perf_event_header>(), &mut record);
            let size = usize::from(u16::from_ne_bytes([record[6], record[7]]));
            if size < record.len() || size as u64 > end - position {
                position = end;
                break;
            }
            record.clear();
            self.copy(position, size, &mut record);
            each(&record);
            position += size as u64;
        }
        tail.store(position, Ordering::Release);
        was_full
    }

    fn copy(&self, position: u64, length: usize, into: &mut Vec<u8>) {
        let offset = (position as usize) & (self.data_length - 1);
        let first = length.min(self.data_length - offset);
        // SAFETY: offset and first stay inside the ring, which starts one page into the mapping; the kernel does not
        // write between tail and head.
        unsafe {
            let ring = self.mapped.start().cast::<u8>().add(PAGE);
            into.extend_from_slice(std::slice::from_raw_parts(ring.add(offset), first));
            into.extend_from_slice(std::slice::from_raw_parts(ring, length - first));
        }
    }
}
