//! What can go wrong while reading about a process.

use std::io;
use std::path::PathBuf;

use crate::Pid;

/// Why a fact about a process could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process exited (or never existed). Normal in a race with exit: not worth a warning.
    #[error("process {0} is gone")]
    Gone(Pid),
    /// The kernel refused or failed a read.
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The content does not have the form that proc(5) describes.
    #[error("{}: {what}", path.display())]
    Malformed { path: PathBuf, what: &'static str },
}

impl Error {
    /// The process exited while it was looked at.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }

    /// The kernel lacked a permission of ours, see [`crate::Capabilities`].
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }
}
