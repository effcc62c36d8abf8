//! What is known of an executable or library.

use std::sync::Arc;

use infrared_processes::image::LoadSegments;
use infrared_runtimes::Found;

use super::{ImageId, ImageSource};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageState {
    /// Not read yet: nothing is known but the file.
    Pending,
    /// Read. Pages of its table are made when they are wanted.
    Ready,
    /// Not an image that we understand.
    Unreadable,
    /// The same contents as another image.
    SameAs(ImageId),
}

/// An executable or library.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) state: ImageState,
    pub(crate) source: ImageSource,
    /// As the first process saw it.
    pub(crate) path: Arc<str>,
    /// `/proc/PID/root` of the first process, where separate debug files are looked for first.
    pub(crate) root: Arc<str>,
    /// Lower-case hex; empty if it has none. Anybody can write any: it is no identity.
    pub(crate) build_id: Arc<str>,
    pub(crate) segments: LoadSegments,
    pub(crate) runtimes: Vec<Found>,
    pub(crate) is_32_bit: bool,
}
