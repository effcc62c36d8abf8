//! The checkout: where it is, and which files belong to it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use crate::command;

#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The checkout that this program was built from.
    pub(crate) fn of_this_project() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self { root: root.parent().unwrap_or(root).to_path_buf() }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A command that runs in the root.
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.root);
        command
    }

    /// The packages of the workspace, as cargo describes them: what `P` wants to know of each.
    pub(crate) fn packages<P: DeserializeOwned>(&self) -> Result<Vec<P>> {
        #[derive(serde::Deserialize)]
        struct Metadata<P> {
            packages: Vec<P>,
        }
        let args = ["metadata", "--format-version", "1", "--no-deps"];
        let json = command::output(&mut self.command("cargo", &args))?;
        let metadata: Metadata<P> = serde_json::from_str(&json).context("cargo metadata")?;
        Ok(metadata.packages)
    }

    /// Paths, from the root, of the files that git tracks or would track, and that exist.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        // Whoever owns the checkout: git refuses those of others by default.
        let trust = ["-c", "safe.directory=*"];
        let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let output = command::output(&mut self.command("git", &[&trust[..], &listing].concat()))?;
        let mut files: Vec<String> = output
            .split('\0')
            .filter(|path| !path.is_empty() && self.path(path).symlink_metadata().is_ok())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Paths, from the root, of the files below `folder`, sorted; nothing hidden, and nothing of the folders in `without`.
    /// Works without git.
    pub(crate) fn files_below(&self, folder: &str, without: &[&str]) -> Result<Vec<String>> {
        let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(self.path(&folder))
                .with_context(|| format!("cannot read {folder}"))?;
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with('.') || without.contains(&name.as_str()) {
                    continue;
                }
                let path = format!("{folder}/{name}");
                let is_folder = entry.file_type()?.is_dir();
                if is_folder { &mut folders } else { &mut files }.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// `None` if the file is no text.
    pub(crate) fn text(&self, relative: &str) -> Result<Option<String>> {
        let path = self.path(relative);
        if path.is_symlink() || path.is_dir() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {relative}"))?;
        Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
    }
}

/// Of a file's name, without the dot; empty if it has none.
pub(crate) fn extension(path: &str) -> &str {
    Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}
