//! What a request may cost the receiver.

/// Bounds on one export request. Passing one refuses the request as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory of the decoded protobuf message, in bytes.
    pub decoded_bytes: usize,
    /// Memory of the resulting profiles, in bytes. A request can name a long stack many times: this bounds the expansion.
    pub profile_bytes: usize,
    /// Resulting profiles (distinct value type, window and period).
    pub profiles: usize,
    /// Locations in one stack.
    pub stack_depth: usize,
    /// Functions inlined at one location.
    pub lines: usize,
    /// Labels of one series, from the resource and the sample together.
    pub labels: usize,
    /// Names and values of the labels of one series, in bytes.
    pub series_bytes: usize,
    /// One string of the dictionary, in bytes.
    pub string_bytes: usize,
}

impl Default for Limits {
    /// Room for a 10 s window of a large host, several times over.
    fn default() -> Self {
        Self {
            decoded_bytes: 512 << 20,
            profile_bytes: 512 << 20,
            profiles: 1024,
            stack_depth: 4096,
            lines: 512,
            labels: 128,
            series_bytes: 64 << 10,
            string_bytes: 1 << 20,
        }
    }
}
