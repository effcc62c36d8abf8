//! Why an image, or one of its tables, could not be used.

use std::io;

/// Every variant means "this source gives no names"; the next source is tried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
    #[error("malformed {0}")]
    Malformed(&'static str),
    #[error("unsupported {0}")]
    Unsupported(&'static str),
    #[error("{0} needs more memory or work than the budget allows")]
    OverBudget(&'static str),
    #[error("malformed debug information: {0}")]
    Dwarf(#[from] gimli::Error),
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;
