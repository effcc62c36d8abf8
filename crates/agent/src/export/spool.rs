//! A directory of requests that wait for the server. Each is a file of its own, numbered in order of time.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Ending of a request's file.
const ENDING: &str = "otlp";

/// The directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("cannot use the spool directory {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the spool directory {0} is in use by another agent")]
    Locked(PathBuf),
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Spool {
    directory: PathBuf,
    /// Held as long as the spool is in use.
    _lock: File,
}

/// A waiting request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) sequence: u64,
    pub(super) bytes: u64,
}

impl Spool {
    /// Opens or creates `directory`. Also returns what waits in it, oldest first.
    pub(super) fn open(directory: &Path) -> Result<(Self, Vec<Waiting>), SpoolError> {
        let failed = |source| SpoolError::Io { path: directory.to_owned(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        let lock = File::create(directory.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::Locked(directory.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let spool = Self { directory: directory.to_owned(), _lock: lock };
        let waiting = spool.waiting().map_err(failed)?;
        Ok((spool, waiting))
    }

    fn waiting(&self) -> io::Result<Vec<Waiting>> {
        let mut waiting = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let path = entry.path();
            if path.extension().is_some_and(|ending| ending == "tmp") {
                fs::remove_file(&path)?;
                continue;
            }
            let is_request = path.extension().is_some_and(|ending| ending == ENDING);
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            if let (true, Some(sequence)) = (is_request, number) {
                waiting.push(Waiting { sequence, bytes: entry.metadata()?.len() });
            }
        }
        waiting.sort_by_key(|waiting| waiting.sequence);
        Ok(waiting)
    }

    /// Keeps a request; `Ok` means on disk, whole.
    pub(super) fn write(&self, sequence: u64, request: &[u8]) -> io::Result<()> {
        let path = self.path(sequence);
        let unfinished = path.with_extension("tmp");
        let written = File::create(&unfinished).and_then(|mut file| {
            file.write_all(request)?;
            file.sync_data()
        });
        let kept = written.and_then(|()| fs::rename(&unfinished, &path));
        if kept.is_err() {
            // What is left of it is removed at the next start, if it cannot be now.
            drop(fs::remove_file(&unfinished));
        }
        kept
    }

    pub(super) fn read(&self, sequence: u64) -> io::Result<Vec<u8>> {
        fs::read(self.path(sequence))
    }

    pub(super) fn remove(&self, sequence: u64) -> io::Result<()> {
        fs::remove_file(self.path(sequence))
    }

    fn path(&self, sequence: u64) -> PathBuf {
        self.directory.join(format!("{sequence:020}.{ENDING}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_found_again_in_order_and_scraps_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(dir.path()).unwrap();
        for sequence in [10, 9, 200] {
            spool.write(sequence, &vec![7; sequence as usize]).unwrap();
        }
        drop(spool);
        fs::write(dir.path().join("00000000000000000011.tmp"), "torn").unwrap();
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        let (spool, waiting) = Spool::open(dir.path()).unwrap();
        let sequences: Vec<u64> = waiting.iter().map(|waiting| waiting.sequence).collect();
        assert_eq!(sequences, [9, 10, 200]);
        assert_eq!(waiting[2].bytes, 200);
        assert_eq!(spool.read(9).unwrap(), [7; 9]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5, "requests, lock and notes");
    }

    #[test]
    fn two_agents_do_not_share_a_spool() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Spool::open(dir.path()).unwrap();
        assert!(matches!(Spool::open(dir.path()), Err(SpoolError::Locked(_))));
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_named() {
        let error = Spool::open(Path::new("/proc/no/spool")).unwrap_err().to_string();
        assert!(error.contains("/proc/no/spool"), "{error}");
    }
}
