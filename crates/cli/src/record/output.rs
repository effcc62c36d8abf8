//! The place that a recording is written to. It is opened before anything is recorded, so that a recording is not made
//! in vain; what it held stays until there is something new to write.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{Format, plan::Destination};

/// An open destination.
#[derive(Debug)]
pub(super) enum Output {
    Stdout,
    File {
        path: PathBuf,
        file: File,
        /// It did not exist before, and holds nothing yet.
        is_new: bool,
    },
}

impl Output {
    /// Fails if a recording in `format` cannot be written there.
    pub(super) fn open(destination: &Destination, format: Format) -> Result<Self> {
        match destination {
            Destination::Stdout if format.is_binary() && io::stdout().is_terminal() => {
                bail!("this format is not text: send it into a file or a pipe")
            }
            Destination::Stdout => Ok(Self::Stdout),
            Destination::File(path) => Self::open_file(path),
        }
    }

    pub(super) fn open_file(path: &Path) -> Result<Self> {
        let is_new = !path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot write to {}", path.display()))?;
        Ok(Self::File { path: path.to_owned(), file, is_new })
    }

    /// Where the data go, for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stdout => "standard output".into(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }

    /// Replaces what is there by what `write` writes.
    pub(super) fn replace(
        mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        let name = self.name();
        let written = match &mut self {
            Self::Stdout => {
                let mut out = BufWriter::new(io::stdout().lock());
                write(&mut out).and_then(|()| out.flush())
            }
            Self::File { file, is_new, .. } => {
                *is_new = false;
                write_file(file, write)
            }
        };
        written.with_context(|| format!("cannot write to {name}"))
    }
}

fn write_file(file: &File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // A pipe or a device has no length.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    out.flush()
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Self::File { path, is_new: true, .. } = self {
            // An empty file of ours would be left; that it stays is no second error.
            drop(fs::remove_file(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_stays_until_something_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.txt");
        fs::write(&path, "a long former recording").unwrap();
        drop(Output::open_file(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a long former recording");
        let output = Output::open_file(&path).unwrap();
        output.replace(|out| out.write_all(b"short")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short");
    }

    #[test]
    fn a_recording_that_failed_leaves_no_empty_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.txt");
        drop(Output::open_file(&path).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let error = Output::open_file(Path::new("/proc/no/such/out.svg")).unwrap_err();
        assert_eq!(error.to_string(), "cannot write to /proc/no/such/out.svg");
        assert!(Output::open_file(Path::new("/")).is_err(), "a directory");
    }
}
