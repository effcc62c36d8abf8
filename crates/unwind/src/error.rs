//! Why no table could be built.

/// Why no table could be built for an image. A damaged part of an image is no error: it is counted in
/// [`Stats`](crate::Stats) and its addresses have no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The headers are not those of a 64-bit little-endian ELF image.
    #[error("not a 64-bit little-endian ELF image: {0}")]
    NotElf(String),
    /// `e_machine` is neither `x86_64` nor `aarch64`.
    #[error("unsupported machine {0}")]
    UnsupportedMachine(u16),
    /// A section is larger than [`Options::max_section_bytes`](crate::Options::max_section_bytes).
    #[error("section {name} has {size} bytes, the limit is {limit}")]
    SectionTooLarge {
        /// The section's name.
        name: &'static str,
        /// Its size, decompressed, in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A section lies outside the file or does not decompress.
    #[error("section {0} cannot be read")]
    UnreadableSection(&'static str),
    /// More rows than [`Options::max_rows`](crate::Options::max_rows).
    #[error("more than {limit} rows")]
    TooManyRows {
        /// The limit.
        limit: usize,
    },
}
