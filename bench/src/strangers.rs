//! Executables and libraries that the machine has never seen: copies of one, each with a build id of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use e2e::{built, scratch_dir};
use tempfile::TempDir;

/// An ELF note: name size 4, descriptor size 20, type 3 (`NT_GNU_BUILD_ID`), "GNU\0"; the id follows.
const NOTE: [u8; 16] = [4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, b'G', b'N', b'U', 0];

/// So many copies of `program`, named `stranger-0` and so on.
pub(crate) fn strangers(program: &str, count: usize) -> Result<(TempDir, Vec<PathBuf>)> {
    let dir = scratch_dir()?;
    let mut image = std::fs::read(built(program)?)?;
    let at = image.windows(NOTE.len()).position(|window| window == NOTE);
    let id = at.context("the program has no build id")? + NOTE.len();
    let mut programs = Vec::new();
    for index in 0..count {
        let bytes = image.get_mut(id..id + 2).context("the build id is cut off")?;
        bytes.copy_from_slice(&(index as u16 ^ 0x5aa5).to_le_bytes());
        let path = dir.path().join(format!("stranger-{index}"));
        std::fs::write(&path, &image)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        programs.push(path);
    }
    Ok((dir, programs))
}
