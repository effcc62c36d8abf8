//! What can go wrong in a store, in words for an operator.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {action} {path}: {source}")]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("no space is left for {path}: free some, or lower the retention")]
    Full { path: PathBuf },
    #[error("the data directory {path} is not writable: {source}")]
    NotWritable { path: PathBuf, source: std::io::Error },
    #[error("the data directory {path} is in use by process {pid}")]
    Locked { path: PathBuf, pid: String },
    #[error(
        "the data directory {path} has format {found}, which is newer than this program's {supported}: use a newer infrared, or another directory"
    )]
    NewerFormat { path: PathBuf, found: u32, supported: u32 },
    #[error("{path} is not an infrared data directory, and it is not empty")]
    ForeignDirectory { path: PathBuf },
    #[error("{path} is damaged: {reason}")]
    Damaged { path: PathBuf, reason: String },
    #[error("the query did not finish within its time limit")]
    DeadlineExceeded,
    #[error("the answer needs more than {limit} rows: narrow the time range or the filters")]
    TooLarge { limit: usize },
    #[error("{0}")]
    InvalidQuery(String),
    #[error("a batch of {bytes} bytes exceeds the limit of {limit}")]
    BatchTooLarge { bytes: usize, limit: usize },
}

impl StoreError {
    /// Names the operation and the file; out-of-space and read-only errors get their own variants.
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::Full { path }
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Self::NotWritable { path, source }
            }
            _ => Self::Io { action, path, source },
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }

    /// Errors of the parquet library; an I/O error inside keeps its kind.
    pub(crate) fn parquet(
        action: &'static str,
        path: &Path,
        error: parquet::errors::ParquetError,
    ) -> Self {
        match error {
            parquet::errors::ParquetError::External(source) => {
                match source.downcast::<std::io::Error>() {
                    Ok(io) => Self::io(action, path, *io),
                    Err(other) => Self::damaged(path, other),
                }
            }
            other => Self::damaged(path, other),
        }
    }
}
