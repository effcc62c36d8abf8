//! Directories that vanish, readable by the users that servers run as.

use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use tempfile::TempDir;

pub fn scratch_dir() -> Result<TempDir> {
    let dir = TempDir::with_prefix("infrared-e2e-").context("cannot create a scratch directory")?;
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(dir)
}
