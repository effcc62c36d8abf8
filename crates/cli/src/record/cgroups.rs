//! Cgroups by path: their ids. Those below them, now or later, are found by the kernel side.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// Where systemd and others mount cgroup v2.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// The ids of the cgroups at `paths` (absolute, or below the mount as `/proc/PID/cgroup` shows them).
pub(super) fn ids(paths: &[PathBuf]) -> Result<Vec<u64>> {
    let id = |path: &PathBuf| {
        let directory = find(path)?;
        // The id of a cgroup is the inode of its directory (kernfs, Linux 5.5).
        let metadata = fs::metadata(&directory)
            .with_context(|| format!("cannot look at {}", directory.display()))?;
        Ok(metadata.ino())
    };
    paths.iter().map(id).collect()
}

fn find(path: &Path) -> Result<PathBuf> {
    let below = path.strip_prefix("/").unwrap_or(path);
    let candidates = MOUNTS.map(|mount| Path::new(mount).join(below));
    let found = std::iter::once(path.to_owned()).chain(candidates).find(|path| is_cgroup(path));
    found.with_context(|| format!("{} is not a cgroup (v2)", path.display()))
}

/// Cgroup v1 has no ids that the kernel's filter knows.
fn is_cgroup(path: &Path) -> bool {
    const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;
    rustix::fs::statfs(path).is_ok_and(|stat| stat.f_type == CGROUP2_SUPER_MAGIC) && path.is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_no_cgroup_is_named() {
        for path in ["/tmp", "/no/such/cgroup", "/sys/fs/cgroup/no-such"] {
            let error = ids(&[path.into()]).unwrap_err().to_string();
            assert_eq!(error, format!("{path} is not a cgroup (v2)"));
        }
    }
}
