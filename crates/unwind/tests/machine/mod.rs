//! The executables and libraries of this machine.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Endings of files that are never ELF images; opening all of them would be most of the test's time.
const NEVER_ELF: &[&str] = &[
    "a", "c", "cc", "class", "cpp", "css", "gif", "go", "gz", "h", "hpp", "html", "jar", "js",
    "json", "map", "md", "mjs", "mo", "pak", "pc", "pl", "pm", "png", "py", "pyc", "pyi", "rb",
    "rlib", "rmeta", "rs", "rst", "sh", "svg", "toml", "ts", "txt", "xml", "yaml", "yml", "zip",
];

/// All ELF files below the directories for programs and libraries and in the Rust toolchain, each once, the largest
/// first.
pub(crate) fn elf_files() -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut directories: Vec<PathBuf> =
        ["/usr/bin", "/usr/sbin", "/usr/lib"].into_iter().map(PathBuf::from).collect();
    directories.extend(rust_sysroot());
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
            if metadata.is_dir() {
                directories.push(entry.path());
            } else if metadata.is_file()
                && may_be_elf(&entry.path(), &metadata)
                && seen.insert((metadata.dev(), metadata.ino()))
                && starts_as_elf(&entry.path())
            {
                found.push((metadata.len(), entry.path()));
            }
        }
    }
    found.sort_by(|left, right| right.cmp(left));
    found.into_iter().map(|(_, path)| path).collect()
}

fn rust_sysroot() -> Option<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

fn may_be_elf(path: &Path, metadata: &Metadata) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    metadata.len() >= 64 && ending.is_none_or(|ending| !NEVER_ELF.contains(&ending))
}

fn starts_as_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"\x7fELF"
}
