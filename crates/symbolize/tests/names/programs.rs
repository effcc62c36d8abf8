//! Builds the test programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use infrared_symbolize::{Limits, Symbolized, Symbolizer};
use tempfile::TempDir;

use crate::compare;

/// A directory that the programs of one test are built in.
pub(crate) struct Workshop {
    directory: TempDir,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a build tool in the directory; `words` is the command line.
    pub(crate) fn run(&self, words: &str) {
        let mut words = words.split_whitespace();
        let tool = words.next().expect("a command");
        let mut command = Command::new(tool);
        command.args(words).current_dir(self.directory.path());
        command.env("GO111MODULE", "off");
        let output = command.output().unwrap_or_else(|e| panic!("{tool} is needed: {e}"));
        assert!(
            output.status.success(),
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Runs a tool for its output.
    pub(crate) fn output(&self, words: &str) -> String {
        let mut words = words.split_whitespace();
        let tool = words.next().expect("a command");
        let output = Command::new(tool).args(words).current_dir(self.directory.path()).output();
        let output = output.unwrap_or_else(|e| panic!("{tool} is needed: {e}"));
        assert!(output.status.success(), "{tool} failed: {}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The path of a test program's source.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

pub(crate) fn symbolizer() -> Symbolizer {
    Symbolizer::new(Limits::default())
}

/// Our names with a symbolizer of their own.
pub(crate) fn names(elf: &Path, svmas: &[u64]) -> Vec<Symbolized> {
    compare::ours(&mut symbolizer(), elf, svmas).expect("the file is there")
}

/// One line for each address: names and places from the innermost frame out.
pub(crate) fn shown(named: &[Symbolized]) -> Vec<String> {
    let line = |l: &infrared_symbolize::Line| format!("{} {}:{}", l.function, l.file, l.line);
    named.iter().map(|s| s.lines.iter().map(line).collect::<Vec<_>>().join(" < ")).collect()
}
