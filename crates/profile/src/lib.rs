//! The profile model: what a stack sample is once every runtime, host and wire format is gone.
//!
//! No I/O and no kernel types. Readers (agent, OTLP, pprof) build a [`Profile`]; writers (folded, pprof, speedscope,
//! SVG, HTML, JSON) and the store read it.
//!
//! Invariant: stacks are **leaf first** everywhere in memory, as in pprof and OTLP. Only text for people is root first.

mod intern;
mod model;

pub use intern::{Interner, StringId, Strings};
pub use model::{
    FrameKind, Line, Location, LocationId, Module, ModuleId, Profile, Sample, Series, SeriesId, Stack, StackId,
    ValueType, labels,
};
