//! Language runtimes: how each is found in an image, and what the kernel side has to know to follow it in a process.
//!
//! Everything about one runtime that runs in user space is in its folder here; what runs in the kernel is in
//! `bpf/unwind/runtimes`. Not here: rows of unwind tables (`crates/unwind`) and names of functions (`crates/symbolize`). It
//! opens nothing and knows no processes: it is asked about images that others have read, and about where they are mapped. All
//! that it is told of an image is hostile.

mod go;

use std::fmt;
use std::sync::Arc;

use infrared_abi::ir_runtime_states;
use infrared_profile::FrameKind;
use infrared_unwind::GoInfo;

/// How each runtime is looked for: a line each.
pub const ALL: &[fn(&ImageFacts<'_>) -> Option<Found>] = &[go::detect];

/// What is known of an image when it has just been read.
#[derive(Clone, Copy)]
pub struct ImageFacts<'i> {
    /// What Go's function table says, where the image has one.
    pub go: Option<&'i GoInfo>,
    /// Reads from a stated address on; fewer bytes than asked for mean that the file has no more there.
    pub read: &'i dyn Fn(u64, &mut [u8]) -> usize,
}

impl fmt::Debug for ImageFacts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageFacts").field("go", &self.go).finish_non_exhaustive()
    }
}

/// A runtime that an image has.
pub type Found = Arc<dyn Runtime>;

/// Where a process maps an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Runtime address - stated address, modulo 2^64.
    pub bias: u64,
}

/// A language runtime, as it is in an image.
pub trait Runtime: fmt::Debug + Send + Sync {
    /// How a frame at a stated address of the image is shown, if the code there is the runtime's.
    fn frame_kind(&self, svma: u64) -> Option<FrameKind>;

    /// Puts in what the kernel side has to know of the runtime in a process that maps the image. Of several images of a process
    /// that have the same runtime, the first with anything to say counts.
    fn state(&self, mapped: Mapped, states: &mut ir_runtime_states);
}

/// The runtimes that an image has.
pub fn detect(image: &ImageFacts<'_>) -> Vec<Found> {
    ALL.iter().filter_map(|detect| detect(image)).collect()
}

/// What the kernel side has to know of the runtimes of a process, from its images and where it maps them; `None`: nothing.
pub fn states<'f>(
    found: impl IntoIterator<Item = (&'f Found, Mapped)>,
) -> Option<Box<ir_runtime_states>> {
    let mut states = ir_runtime_states::default();
    for (runtime, mapped) in found {
        runtime.state(mapped, &mut states);
    }
    (states != ir_runtime_states::default()).then(|| Box::new(states))
}

#[cfg(test)]
mod tests {
    use infrared_abi::RuntimeId;

    use super::*;

    #[test]
    fn every_runtime_of_the_walk_is_looked_for() {
        assert_eq!(ALL.len(), RuntimeId::ALL.len());
    }

    #[test]
    fn an_image_of_which_nothing_is_known_has_no_runtime() {
        let image = ImageFacts { go: None, read: &|_, _| 0 };
        assert!(detect(&image).is_empty());
        assert_eq!(states([]), None);
    }
}
