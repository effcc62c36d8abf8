//! Go: its switches of stacks are followed by what the code of its own runtime shows (amd64).

mod detect;
mod offsets;

pub(crate) use detect::detect;
