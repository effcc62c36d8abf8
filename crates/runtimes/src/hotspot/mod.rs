//! `HotSpot`, the virtual machine of `OpenJDK`: what its frames run.
//!
//! The machine tells of its layout itself, in tables for its serviceability agent (`vmStructs.cpp`): they hold addresses, and so are
//! read from the memory of a process that runs it.

mod detect;
mod layout;
mod lines;
mod machine;
mod methods;
mod numbers;
mod scopes;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use detect::{SYMBOLS, detect};
pub use layout::Layout;
pub use machine::Machine;
