//! Executables and libraries: which file is which image, and their unwind tables. Files are read on a thread of
//! their own.

mod registry;
mod worker;

pub(crate) use registry::{Image, ImageRegistry, ImageState};
pub(crate) use worker::ImageBytes;

/// Number of an image, as the kernel side has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ImageId(pub(crate) u32);
