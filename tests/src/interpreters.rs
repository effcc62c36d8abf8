//! The interpreters of a language that are here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// An interpreter, and what it says its version is.
#[derive(Clone, Debug)]
pub struct Interpreter {
    pub path: PathBuf,
    /// Major and minor number.
    pub version: (u32, u32),
}

/// The Python that runs as `python3`, which has to be there, the system's, and those that pyenv has installed.
pub fn pythons() -> Result<Vec<Interpreter>> {
    let own = said_by(Path::new("python3"), "import sys; print(sys.executable)")?;
    let mut paths = vec![PathBuf::from(own), PathBuf::from("/usr/bin/python3")];
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let installed = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten();
    for version in installed {
        paths.push(version?.path().join("bin/python3"));
    }
    files(&paths).into_iter().map(python).collect()
}

/// The Java that runs as `java`, which has to be there, and those that are where Debian and others install them.
pub fn javas() -> Result<Vec<PathBuf>> {
    let mut paths = vec![found("java")?];
    for installed in std::fs::read_dir("/usr/lib/jvm").into_iter().flatten() {
        paths.push(installed?.path().join("bin/java"));
    }
    Ok(files(&paths))
}

/// The Node.js that runs as `node`, which has to be there, and those that its version manager has installed.
pub fn nodes() -> Result<Vec<PathBuf>> {
    let mut paths = vec![found("node")?];
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    for version in std::fs::read_dir(home.join(".nvm/versions/node")).into_iter().flatten() {
        paths.push(version?.path().join("bin/node"));
    }
    Ok(files(&paths))
}

/// The file that runs as a command.
fn found(command: &str) -> Result<PathBuf> {
    let own = Command::new("sh").args(["-c", &format!("command -v {command}")]).output()?;
    ensure!(own.status.success(), "there is no {command}");
    Ok(PathBuf::from(String::from_utf8(own.stdout)?.trim()))
}

/// Each once.
fn files(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut files: Vec<_> = paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
    files.sort();
    files.dedup();
    files
}

fn python(path: PathBuf) -> Result<Interpreter> {
    let text = said_by(&path, "import sys; print(*sys.version_info[:2])")?;
    let (major, minor) = text.split_once(' ').context("two numbers")?;
    Ok(Interpreter { version: (major.parse()?, minor.parse()?), path })
}

fn said_by(python: &Path, code: &str) -> Result<String> {
    let output = Command::new(python).args(["-c", code]).output();
    let output = output.with_context(|| format!("cannot run {}", python.display()))?;
    ensure!(output.status.success(), "{}: {}", python.display(), output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
