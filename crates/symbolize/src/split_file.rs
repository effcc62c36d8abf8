//! Where the files of split debug information can be: the package of an image, `NAME.dwp`, and the `.dwo` file that a
//! unit names. Whether what is there belongs to the image is for its reader to say: by the id of the unit.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::debug_file::{Candidate, DebugSearch, by_link};

/// What was found besides the binary, if its debug information is in a file of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SplitSearch<'a> {
    pub(crate) search: &'a DebugSearch,
    pub(crate) separate: Option<&'a Candidate>,
}

impl SplitSearch<'_> {
    pub(crate) fn packages(&self) -> Vec<Candidate> {
        let package = |path: &Path| path.file_name().map(named_as_package);
        let beside = self.separate.and_then(|file| {
            let name = package(file.path())?;
            Some(file.beside(Path::new(&name)))
        });
        let own = package(&self.search.binary);
        let own = own.map(|name| by_link(&name, self.search)).unwrap_or_default();
        own.into_iter().chain(beside).collect()
    }

    /// First as the compiler recorded it, below the root of the process; then where debug files are.
    pub(crate) fn of_unit(&self, directory: &OsStr, name: &OsStr) -> Vec<Candidate> {
        let recorded: PathBuf = Path::new(directory).join(name);
        let moved = recorded.file_name().map(|name| {
            let beside = self.separate.map(|file| file.beside(Path::new(name)));
            by_link(name, self.search).into_iter().chain(beside)
        });
        let recorded = Candidate::Below(recorded.clone());
        std::iter::once(recorded).chain(moved.into_iter().flatten()).collect()
    }

    pub(crate) fn open(&self, candidate: &Candidate) -> io::Result<File> {
        candidate.open(self.search)
    }
}

fn named_as_package(file: &OsStr) -> OsString {
    let mut name = file.to_owned();
    name.push(".dwp");
    name
}
