//! Google's pprof (`profile.proto`), gzipped: what `go tool pprof` and most profile stores read.
//!
//! Times of single samples and the kind of a frame have no place in it; on reading, the kind is told from the mapping's name.

mod labels;
mod proto;
mod read;
mod write;

pub use labels::long as long_label;
pub use read::{ReadError, ReadLimits, read};
pub use write::write;
