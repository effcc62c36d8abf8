//! The profile model: what a stack sample is once every runtime, host and wire format is gone.
//!
//! No I/O and no kernel types. Readers (agent, OTLP, pprof) build a [`Profile`]; writers (folded, pprof, speedscope,
//! SVG, HTML, JSON) and the store read it.
//!
//! Invariant: stacks are **leaf first** everywhere in memory, as in pprof and OTLP. Only text for people is root first.

mod builder;
pub mod callers_callees;
pub mod folded;
pub mod frames;
pub mod functions;
mod fuzz;
pub mod html;
mod intern;
pub mod json;
pub mod merge;
mod model;
pub mod pprof;
pub mod protobuf;
pub mod short_names;
pub mod speedscope;
pub mod svg;
pub mod tree;

pub use builder::Builder;
#[doc(hidden)]
pub use fuzz::{fuzz_folded, fuzz_pprof, fuzz_tree};
pub use intern::{Interner, StringId, Strings};
pub use model::{
    FrameKind, Line, Location, LocationId, Module, ModuleId, Profile, Sample, Series, SeriesId,
    Stack, StackId, ValueType, labels,
};
