//! Call frame information: `.eh_frame` and `.debug_frame` → the frames' states, address by address.
//!
//! Decoding is gimli's; evaluation is here and follows only the registers that a rule can name. Turning a state into
//! a rule is the matter of [`crate::arch`].

mod evaluate;
mod expression;
mod frames;
mod section;
mod span;

pub(crate) use evaluate::{Cfa, FrameState, Location};
pub(crate) use expression::{Address, as_address, as_plt};
pub(crate) use frames::{EVERYTHING, EhFrames, Listed, spans_of};
pub(crate) use section::{CfiSection, Expressions};

/// The gimli reader of all sections.
pub(crate) type Bytes<'d> = gimli::EndianSlice<'d, gimli::LittleEndian>;
