//! The identity of an image that has no build id.

use std::fmt;
use std::io;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::headers::ByteSource;

const SAMPLED_BYTES: u64 = 4096;

/// The `htlhash` of OpenTelemetry's semantic conventions (`process.executable.build_id.htlhash`):
/// the first 16 bytes of SHA-256 over the first 4096 bytes of the file, its last 4096 bytes, and its
/// length as a big-endian 64-bit number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// Reads the two ends of a source that is `length` bytes long.
    pub fn read(source: &(impl ByteSource + ?Sized), length: u64) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let mut buffer = [0; SAMPLED_BYTES as usize];
        for offset in [0, length.saturating_sub(SAMPLED_BYTES)] {
            let read = source.read_at(offset, &mut buffer)?;
            hash.update(&buffer[..read]);
        }
        hash.update(length.to_be_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&hash.finalize()[..16]);
        Ok(Self(first))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn sha256sum(bytes: &[u8]) -> String {
        let mut child =
            Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn the_fingerprint_is_sha256_of_both_ends_and_the_length() {
        for length in [0_usize, 1, 4095, 4096, 4097, 10_000] {
            let content: Vec<u8> = (0..length).map(|index| (index * 31 % 251) as u8).collect();
            let head = &content[..length.min(4096)];
            let tail = &content[length.saturating_sub(4096)..];
            let hashed = [head, tail, &(length as u64).to_be_bytes()].concat();
            let fingerprint = Fingerprint::read(&content[..], length as u64).unwrap();
            assert_eq!(fingerprint.to_string(), sha256sum(&hashed)[..32], "{length}");
        }
    }
}
