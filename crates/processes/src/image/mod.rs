//! The file behind a mapping: opening the right one, and knowing it again.
//!
//! Paths lie: the file may be deleted, replaced by an upgrade, in another mount namespace, or have
//! no path at all. [`open`] therefore asks the kernel for the very file that is mapped, and uses a
//! path only if it can prove that it leads to the same file. Symbols and unwind tables are read by
//! others; here is only what identifies an image and relates its addresses.

mod dynamic;
mod fingerprint;
mod from_memory;
mod headers;
mod moved;
mod notes;
mod open;
mod resident;
mod sections;
mod segments;

pub use fingerprint::Fingerprint;
pub use from_memory::{Absent, MemoryCopy, copy_from_memory};
pub use headers::{ByteSource, ElfClass, ElfError, ElfHeaders, FileType, Machine};
pub use moved::MovedText;
pub use notes::BuildId;
pub use open::{ImageError, OpenImage, Origin, open, open_of_gone};
pub use segments::{LoadSegment, LoadSegments};
