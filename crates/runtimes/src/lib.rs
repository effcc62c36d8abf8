//! Language runtimes: how each is found in an image, and what the kernel side has to know to follow it in a process.
//!
//! Everything about one runtime that runs in user space is in its folder here; what runs in the kernel is in
//! `bpf/unwind/runtimes`. Not here: rows of unwind tables (`crates/unwind`) and names of functions (`crates/symbolize`). It
//! opens nothing and knows no processes: it is asked about images that others have read, and about where they are mapped. All
//! that it is told of an image is hostile.

mod go;
pub mod hotspot;
mod memory;
mod named;
pub mod python;
pub mod v8;

use std::fmt;
use std::sync::Arc;

use infrared_abi::{RuntimeId, ir_runtime_states};
use infrared_profile::FrameKind;
use infrared_unwind::{GoInfo, Symbol};

pub use memory::Memory;
pub use named::{Function, Line, Named, Namer, is_named_by_position, unread};

/// How each runtime is looked for: a line each.
pub const ALL: &[fn(&ImageFacts<'_>) -> Option<Found>] =
    &[go::detect, python::detect, hotspot::detect, v8::detect];

/// The dynamic symbols by which they are found.
pub const SYMBOLS: &[&[&str]] = &[python::SYMBOLS, hotspot::SYMBOLS, v8::SYMBOLS];

/// Others, that an image keeps for itself, each with the one of them beside which it is looked for.
pub const OWN_SYMBOLS: &[(&str, &str)] = v8::OWN_SYMBOLS;

/// What is known of an image when it has just been read.
#[derive(Clone, Copy)]
pub struct ImageFacts<'i> {
    /// What Go's function table says, where the image has one.
    pub go: Option<&'i GoInfo>,
    /// Of [`SYMBOLS`], those that it defines.
    pub symbols: &'i [(&'static str, Symbol)],
    /// Where the file was when a process mapped it.
    pub path: &'i str,
    /// Reads from a stated address on; fewer bytes than asked for mean that the file has no more there.
    pub read: &'i dyn Fn(u64, &mut [u8]) -> usize,
}

impl ImageFacts<'_> {
    fn symbol(&self, name: &str) -> Option<Symbol> {
        self.symbols.iter().find(|(other, _)| *other == name).map(|(_, symbol)| *symbol)
    }

    fn bytes<const N: usize>(&self, svma: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        ((self.read)(svma, &mut bytes) == N).then_some(bytes)
    }
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

/// What people are told of a runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// With its version, where the image tells it.
    pub name: String,
    /// Its functions are in stacks; else they are native code that runs them.
    pub is_followed: bool,
}

/// A language runtime, as it is in an image.
pub trait Runtime: fmt::Debug + Send + Sync {
    fn about(&self) -> About;

    /// How a frame at a stated address of the image is shown, if the code there is the runtime's.
    fn frame_kind(&self, svma: u64) -> Option<FrameKind>;

    /// The native function whose frames run those of the runtime, and which one that is; `None`: its frames are native ones.
    fn loop_at(&self) -> Option<(RuntimeId, u64)> {
        None
    }

    /// Whose step takes the frames of all code of the image that no table describes; `None`: nobody's.
    fn undescribed_code(&self) -> Option<RuntimeId> {
        None
    }

    /// `None`: its frames are native ones, or only a process tells.
    fn namer(&self) -> Option<Namer> {
        None
    }

    /// Whether only the memory of a process tells where the runtime is in it: [`Runtime::attach`].
    fn is_attached(&self) -> bool {
        false
    }

    /// What the memory of a process that maps the image tells of the runtime. `None`: nothing, or nothing yet.
    fn attach(&self, _: &dyn Memory, _: Mapped) -> Option<Attached> {
        None
    }

    /// Puts in what the kernel side has to know of the runtime in a process that maps the image. Of several images of a process
    /// that have the same runtime, the first with anything to say counts.
    fn state(&self, mapped: Mapped, states: &mut ir_runtime_states);
}

/// `ir_hash_mix` of bpf/unwind/walk.h.
fn mix(hash: u64, value: u64) -> u64 {
    let hash = (hash ^ value).rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 29
}

/// The runtimes that an image has.
pub fn detect(image: &ImageFacts<'_>) -> Vec<Found> {
    ALL.iter().filter_map(|detect| detect(image)).collect()
}

/// What the memory of a process has told of a runtime.
#[derive(Clone, Debug)]
pub enum Attached {
    HotSpot(Arc<hotspot::Machine>),
}

impl Attached {
    fn add_to(&self, states: &mut ir_runtime_states) {
        match self {
            Self::HotSpot(machine) => machine.add_to(states),
        }
    }

    pub fn namer(&self) -> Namer {
        match self {
            Self::HotSpot(machine) => Namer::HotSpot(machine.layout),
        }
    }

    pub fn about(&self) -> About {
        match self {
            Self::HotSpot(machine) => About { name: machine.to_string(), is_followed: true },
        }
    }
}

/// Whether a runtime of the process makes code at run time, of which its state tells.
pub fn makes_code(states: &ir_runtime_states) -> bool {
    states.hot_spot.present != 0 || states.v8.present != 0
}

/// What the kernel side has to know of the runtimes of a process, from its images and where it maps them, and from its memory; `None`:
/// nothing.
pub fn states<'f>(
    found: impl IntoIterator<Item = (&'f Found, Mapped)>,
    attached: &[Attached],
) -> Option<Box<ir_runtime_states>> {
    let mut states = ir_runtime_states::default();
    for attached in attached {
        attached.add_to(&mut states);
    }
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
        let image = ImageFacts { go: None, symbols: &[], path: "", read: &|_, _| 0 };
        assert!(detect(&image).is_empty());
        assert_eq!(states([], &[]), None);
    }
}
