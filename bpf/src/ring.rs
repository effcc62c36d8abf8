//! The ring buffer of the programs' records (`kernel/bpf/ringbuf.c`).
//!
//! Not libbpf's reader: that one maps the ring twice in a row, so that no record is in two pieces, and each page counts twice
//! as resident memory of ours. Here it is mapped once, and a record that goes round the end is put together in a copy.

use std::{
    borrow::Cow,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use libbpf_rs::{MapCore, MapHandle};
use libbpf_sys::{BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ};
use rustix::{event::epoll, mm::ProtFlags, param::page_size};

use crate::{error::KernelError, mapped::Mapped};

const WHAT: &str = "the ring buffer of records";
/// Of a record's header: its length, and whether it is being written or was given up.
const FLAGS: u32 = BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT;

/// The reading end. There is one: the position up to which is read is in the ring itself.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Says that there is something to read only once a program has woken us, unlike the ring itself.
    wake: OwnedFd,
    /// A page that begins with the position that we have read up to.
    consumer: Mapped,
    /// A page that begins with the position that was written up to, and the records.
    producer: Mapped,
    page: usize,
    /// A power of two.
    length: usize,
    _map: MapHandle,
}

impl Ring {
    pub(crate) fn open(map: MapHandle) -> Result<Self, KernelError> {
        let (page, length) = (page_size(), map.max_entries() as usize);
        let (fd, writable) = (map.as_fd(), ProtFlags::READ | ProtFlags::WRITE);
        let consumer = Mapped::new(WHAT, fd, writable, (0, page))?;
        let producer = Mapped::new(WHAT, fd, ProtFlags::READ, (page, page + length))?;
        let wake = epoll::create(epoll::CreateFlags::CLOEXEC)
            .and_then(|wake| {
                let data = epoll::EventData::new_u64(0);
                epoll::add(&wake, fd, data, epoll::EventFlags::IN).map(|()| wake)
            })
            .map_err(|error| KernelError::Wait(error.into()))?;
        Ok(Self { wake, consumer, producer, page, length, _map: map })
    }

    /// Readable when a program has asked that records be read.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Hands every record that is whole to `each`, and gives its room back.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(&[u8])) {
        // SAFETY: both pages begin with a position, an aligned unsigned long that the kernel and we access atomically.
        let (read, written) = unsafe {
            (
                AtomicU64::from_ptr(self.consumer.start().cast()),
                AtomicU64::from_ptr(self.producer.start().cast()),
            )
        };
        let mut position = read.load(Ordering::Relaxed);
        loop {
            let left = written.load(Ordering::Acquire).saturating_sub(position);
            let Some((header, size)) = self.header(position, left) else { return };
            if header & BPF_RINGBUF_DISCARD_BIT == 0 {
                let from = position + u64::from(BPF_RINGBUF_HDR_SZ);
                each(&self.bytes(from, (header & !FLAGS) as usize));
            }
            position += size;
            read.store(position, Ordering::Release);
        }
    }

    /// The header of the record at `position`, and the room that it takes; `None` if none of the `left` bytes is to be read yet.
    fn header(&self, position: u64, left: u64) -> Option<(u32, u64)> {
        if left == 0 {
            return None;
        }
        // SAFETY: positions are multiples of 8, so that the header, 8 bytes, is in one piece within the ring. The kernel and we
        // access its first word atomically.
        let header = unsafe { AtomicU32::from_ptr(self.at(position).cast_mut().cast()) };
        let header = header.load(Ordering::Acquire);
        let size = u64::from((header & !FLAGS) + BPF_RINGBUF_HDR_SZ).next_multiple_of(8);
        (header & BPF_RINGBUF_BUSY_BIT == 0 && size <= left).then_some((header, size))
    }

    /// `length` bytes that were written.
    fn bytes(&self, position: u64, length: usize) -> Cow<'_, [u8]> {
        let first = length.min(self.length - self.offset(position));
        // SAFETY: `first` ends with the ring at the latest, and the rest, which begins anew, is shorter than the ring. The kernel
        // does not write there before the read position has gone past.
        let (first, rest) = unsafe {
            (
                std::slice::from_raw_parts(self.at(position), first),
                std::slice::from_raw_parts(self.at(0), length - first),
            )
        };
        if rest.is_empty() { Cow::Borrowed(first) } else { Cow::Owned([first, rest].concat()) }
    }

    fn offset(&self, position: u64) -> usize {
        position as usize & (self.length - 1)
    }

    fn at(&self, position: u64) -> *const u8 {
        // SAFETY: the records follow a page after the mapping's start, and the offset is less than their length.
        unsafe { self.producer.start().cast::<u8>().add(self.page + self.offset(position)) }
    }
}
