//! Memory that the kernel shares with us through a descriptor.

use std::{ffi::c_void, os::fd::BorrowedFd};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::error::KernelError;

/// A mapping, until it is dropped.
#[derive(Debug)]
pub(crate) struct Mapped {
    start: *mut c_void,
    length: usize,
}

// SAFETY: the mapping is owned by this value alone; what the kernel does with it, its users synchronise with.
unsafe impl Send for Mapped {}

impl Mapped {
    /// `length` bytes of `fd`, from the offset `from` on.
    pub(crate) fn new(
        what: &'static str,
        fd: BorrowedFd<'_>,
        protection: ProtFlags,
        (from, length): (usize, usize),
    ) -> Result<Self, KernelError> {
        // SAFETY: a fresh mapping at an address of the kernel's choice disturbs no other.
        let start = unsafe {
            mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, fd, from as u64)
        }
        .map_err(|e| KernelError::Memory { what, source: e.into() })?;
        Ok(Self { start, length })
    }

    /// Its first byte. Nothing keeps the kernel from writing there.
    pub(crate) fn start(&self) -> *mut c_void {
        self.start
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: start and length are of the mapping that this value owns. A failure leaves it mapped: harmless.
        let result = unsafe { munmap(self.start, self.length) };
        debug_assert!(result.is_ok());
    }
}
