//! Several reads of one process that belong together.
//!
//! An exec between two reads gives the mappings of one program and the name of another. Here is said whether there was one; nothing
//! is read again.
//!
//! Start time, executable and the start of the stack, which an exec sets anew, tell most address spaces of a pid apart; not those of a
//! program that executes itself while addresses are not randomised (`personality(2)`, `ADDR_NO_RANDOMIZE`). So `/proc/PID/mem` is
//! held open besides: it belongs to the address space that was there when it was opened, and is empty once that is gone (`mem_rw` in
//! `fs/proc/base.c`). That alone is not enough either: a child of `vfork(2)` leaves an address space that its parent still uses.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, StatxFlags};

use crate::{Error, ProcessDir};

/// Above all addresses of user space, whatever bits of it the processor ignores: reading there finds no page, and so waits for none.
const NOWHERE: u64 = 0x7fff_ffff_ffff_f000;

#[derive(PartialEq, Eq)]
struct AddressSpace {
    start_ticks: u64,
    start_stack: u64,
    /// Device and inode of the executable; `None` for kernel threads and where we may not look.
    executable: Option<(u32, u32, u64)>,
}

impl ProcessDir {
    /// What `read` makes of this process, if it was in one address space all the while; `None` if it executed another program, or is
    /// about to: an exec has no stack yet for a moment.
    pub fn consistent<T>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(before) = self.address_space()? else { return Ok(None) };
        let memory = self.held_memory(&before)?;
        let value = read(self)?;
        let is_one = Some(before) == self.address_space()? && memory.as_ref().is_none_or(is_in_use);
        Ok(is_one.then_some(value))
    }

    fn address_space(&self) -> Result<Option<AddressSpace>, Error> {
        let stat = self.stat()?;
        if stat.start_stack == 0 && !stat.is_kernel_thread() {
            return Ok(None);
        }
        // as the kernel remembers it: a file system in user space is not asked
        let flags = AtFlags::STATX_DONT_SYNC;
        let file = rustix::fs::statx(self.place_of("exe"), "exe", flags, StatxFlags::INO).ok();
        let executable = file.map(|file| (file.stx_dev_major, file.stx_dev_minor, file.stx_ino));
        let (start_ticks, start_stack) = (stat.start_ticks, stat.start_stack);
        Ok(Some(AddressSpace { start_ticks, start_stack, executable }))
    }

    /// `None` where there is none, or where we may not look.
    fn held_memory(&self, space: &AddressSpace) -> Result<Option<File>, Error> {
        if space.start_stack == 0 {
            return Ok(None);
        }
        match self.open("mem") {
            Err(error) if error.is_denied() => Ok(None),
            opened => opened.map(Some),
        }
    }
}

/// Nothing is at the address: an address space that lives says so (`EIO`), one that is gone says that the file ends.
fn is_in_use(memory: &File) -> bool {
    memory.read_at(&mut [0], NOWHERE).is_err()
}
