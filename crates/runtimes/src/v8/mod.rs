//! V8, the JavaScript engine of Node.js: what its frames run.
//!
//! The engine tells of its layout itself, in constants for debuggers of dumps (`v8dbg_…`, tools/gen-postmortem-metadata.py), which every
//! Node.js exports. What they leave out has one rule for each change between 10.2 and 14.6.

mod baseline;
mod code;
mod detect;
mod functions;
mod layout;
mod objects;
mod positions;
mod source;
mod strings;

pub(crate) use detect::detect;
pub use layout::Layout;
pub(crate) use layout::{OWN_SYMBOLS, SYMBOLS};
pub use source::Sources;
