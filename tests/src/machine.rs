//! The machine as a shared thing: one measurement at a time, and the profiler that is being tested.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// While it is held, no other test of this crate, in this process or another, loads the machine.
#[derive(Debug)]
pub struct Machine {
    _lock: File,
}

impl Machine {
    pub fn reserve() -> Result<Self> {
        let path = cache_dir()?.join("machine.lock");
        let lock =
            File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        lock.lock().context("cannot lock the machine")?;
        Ok(Self { _lock: lock })
    }
}

/// `tests/.cache`.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// `INFRARED_BIN`, or what `make build` leaves, or what `cargo build` leaves.
pub fn infrared_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("INFRARED_BIN") {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(path)
        } else {
            bail!("INFRARED_BIN={} is no file", path.display())
        };
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let candidates =
        ["target/release/infrared", "target/debug/infrared"].map(|path| root.join(path));
    candidates.into_iter().find(|path| path.is_file()).context(
        "no infrared binary: run `make build`, or name one in INFRARED_BIN; these tests do not skip",
    )
}
