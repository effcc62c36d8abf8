//! Readers of hostile input, each as a function from bytes that must return: without panic, in bounded time and memory.
//!
//! The functions themselves are in the crates that they test; here is the list of them, and how inputs are changed. The
//! runner is libFuzzer (`make fuzz`); without it, `cargo test -p infrared-fuzz` replays the corpus.

mod elf;
mod random;
mod targets;

pub use elf::mutate_elf;
pub use random::Random;
pub use targets::{Shape, TARGETS, Target, target};
