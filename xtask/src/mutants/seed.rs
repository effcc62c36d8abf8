//! Libraries of others that were built for the tree need not be built again for its copy.
//!
//! They are linked, not copied: nobody writes to them. What is built of the tree's own packages is left out, as cargo names it
//! alike in both: the one would pass for the other.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Ends of what other packages read of a library.
const LIBRARIES: [&str; 3] = ["rlib", "rmeta", "so"];

/// Fills the folder of results `to`, if it is not there yet, from `from`. `own` are the names of the tree's packages.
pub(super) fn seed(from: &Path, to: &Path, own: &[String]) -> Result<()> {
    if to.exists() || !from.exists() {
        return Ok(());
    }
    for folder in ["build", ".fingerprint"] {
        each(&from.join(folder), own, |name| {
            link(&from.join(folder).join(name), &to.join(folder).join(name))
        })?;
    }
    each(&from.join("deps"), own, |name| {
        let path = from.join("deps").join(name);
        let is_library =
            path.extension().and_then(OsStr::to_str).is_some_and(|end| LIBRARIES.contains(&end));
        if is_library { link(&path, &to.join("deps").join(name)) } else { Ok(()) }
    })
}

/// Calls `act` with the name of each entry of `folder` that is of another's package.
fn each(folder: &Path, own: &[String], act: impl Fn(&str) -> Result<()>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let name = entry?.file_name();
        if let Some(name) = name.to_str().filter(|name| !is_own(name, own)) {
            act(name)?;
        }
    }
    Ok(())
}

/// `libinfrared_agent-0123.rlib` and `infrared-agent-0123` are of `infrared-agent`.
fn is_own(name: &str, own: &[String]) -> bool {
    let stem = name.rsplit_once('-').map_or(name, |(stem, _)| stem);
    let package =
        |name: &str| own.iter().any(|own| own.replace('-', "_") == name.replace('-', "_"));
    package(stem) || stem.strip_prefix("lib").is_some_and(package)
}

fn link(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            link(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::hard_link(from, to).with_context(|| format!("cannot link {}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_of_the_tree_stays_where_it_is() {
        let own = ["infrared-agent".to_owned(), "e2e".to_owned()];
        for name in
            ["libinfrared_agent-01ab.rlib", "infrared-agent-01ab", "e2e-01ab", "libe2e-01ab.rmeta"]
        {
            assert!(is_own(name, &own), "{name}");
        }
        for name in ["libserde-01ab.rlib", "libbpf-sys-01ab", "liblibbpf_rs-01ab.rmeta"] {
            assert!(!is_own(name, &own), "{name}");
        }
    }
}
