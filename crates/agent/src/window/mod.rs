//! Samples of one window, and the stacks and images that they refer to.

mod accumulate;
mod closed;
mod snapshot;

pub(crate) use accumulate::{ProcessRef, SampleKey, Samples, Seen, Window};
pub(crate) use closed::{ClosedWindow, KernelSymbol, Span};
pub(crate) use snapshot::ImageSnapshot;
