//! Go.

use std::ops::Range;

/// What the kernel needs to follow Go's switches of stacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoInfo {
    /// The addresses of Go code.
    pub text: Range<u64>,
}
