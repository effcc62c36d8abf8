//! Executables and libraries: which file is which image, and the pages of their unwind tables that walks want. Files are
//! read on a thread of their own.
//!
//! An image lives as long as there is room and it is used; its file is not held open. What is gone comes back when it is
//! wanted: of an image by its number, as long as that is known, and by its file again after that.

mod compare;
mod counts;
mod crowd;
mod identity;
mod image;
mod paged_file;
mod plans;
mod registry;
mod source;
mod waiting;
mod wanted;
mod worker;

pub use counts::ImageCounts;
pub(crate) use identity::FileIdentity;
pub(crate) use image::{Image, ImageState};
pub(crate) use registry::{ImageRegistry, NewFile};
pub(crate) use source::{HeldFile, ImageBytes, ImageSource};
pub(crate) use worker::runtimes_in;

/// Number of an image, as the kernel side has it. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ImageId(pub(crate) u32);
