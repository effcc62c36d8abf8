//! The interpreters of a language that are here.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// An interpreter, and what it says its version is.
#[derive(Clone, Debug)]
pub struct Interpreter {
    pub path: PathBuf,
    /// Major and minor number.
    pub version: (u32, u32),
}

/// The system's Python, which has to be there, and those that pyenv has installed.
pub fn pythons() -> Result<Vec<Interpreter>> {
    let mut paths = vec![PathBuf::from("/usr/bin/python3")];
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let installed = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten();
    for version in installed {
        let python = version?.path().join("bin/python3");
        if python.is_file() {
            paths.push(python);
        }
    }
    paths.into_iter().map(python).collect()
}

fn python(path: PathBuf) -> Result<Interpreter> {
    let print = "import sys; print(*sys.version_info[:2])";
    let output = Command::new(&path).args(["-c", print]).output();
    let output = output.with_context(|| format!("cannot run {}", path.display()))?;
    ensure!(output.status.success(), "{}: {}", path.display(), output.status);
    let text = String::from_utf8(output.stdout)?;
    let (major, minor) = text.trim().split_once(' ').context("two numbers")?;
    Ok(Interpreter { path, version: (major.parse()?, minor.parse()?) })
}
