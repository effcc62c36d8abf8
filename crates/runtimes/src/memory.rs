//! Memory of another process, which may change while it is read, or lie.

use crate::v8::Sources;

/// What a process holds at its runtime addresses.
pub trait Memory {
    /// Fills `into`; `None` if not all of it can be read.
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()>;

    /// What is kept of sources while it is looked at. `None`: nothing.
    fn sources(&self) -> Option<&Sources> {
        None
    }
}

/// No object of a user's process is at an address from here on.
const USER_END: u64 = 1 << 47;

pub(crate) fn bytes<const N: usize>(memory: &dyn Memory, address: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    memory.read(address, &mut bytes)?;
    Some(bytes)
}

pub(crate) fn number32(memory: &dyn Memory, address: u64) -> Option<u32> {
    bytes(memory, address).map(u32::from_le_bytes)
}

pub(crate) fn number64(memory: &dyn Memory, address: u64) -> Option<u64> {
    bytes(memory, address).map(u64::from_le_bytes)
}

/// The pointer at `address`; `None` if it can point to nothing.
pub(crate) fn pointer(memory: &dyn Memory, address: u64) -> Option<u64> {
    number64(memory, address).filter(|pointer| (1..USER_END).contains(pointer))
}

/// Up to `limit` bytes.
pub(crate) fn block(
    memory: &dyn Memory,
    address: u64,
    length: u64,
    limit: usize,
) -> Option<Vec<u8>> {
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(limit);
    let mut bytes = vec![0; length];
    memory.read(address, &mut bytes)?;
    Some(bytes)
}
