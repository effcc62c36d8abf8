//! Samples of one window, and the stacks and images that they refer to.

mod accumulate;
mod snapshot;

pub(crate) use accumulate::{ClosedWindow, ProcessRef, SampleKey, Window};
pub(crate) use snapshot::ImageSnapshot;
