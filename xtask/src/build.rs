//! The web UI and the release binary.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Context, Result};

use crate::command;
use crate::tree::Tree;

/// Written once `npm ci` is through.
const INSTALLED: &str = "web/node_modules/.package-lock.json";
/// What was installed.
const INSTALLED_STAMP: &str = "web/node_modules/.installed";
/// What the last build was made of.
const BUILD_STAMP: &str = "target/web.stamp";
const RESULTS: [&str; 2] = ["web/dist/index.html", "web/dist-standalone/viewer.js"];
const DEPENDENCIES: [&str; 3] = ["web/package.json", "web/package-lock.json", "web/.npmrc"];
/// Folders of `web` that nothing is built of.
const NO_SOURCES: [&str; 8] =
    ["node_modules", "dist", "dist-standalone", "test", "e2e", "dev", "bench", "scripts"];

/// `web/dist` and `web/dist-standalone`, if their sources have changed since they were built.
pub(crate) fn web(tree: &Tree) -> Result<()> {
    let sources = fingerprint(tree, &tree.files_below("web", &NO_SOURCES)?)?;
    if is_current(tree, BUILD_STAMP, &sources, &RESULTS) {
        return Ok(());
    }
    install_web_dependencies(tree)?;
    command::run(&mut tree.command("npm", &["--prefix", "web", "--silent", "run", "build"]))?;
    fs::create_dir_all(tree.path("target"))?;
    fs::write(tree.path(BUILD_STAMP), sources)
        .context("cannot remember what the web UI was built of")
}

/// `web/node_modules`, if what they are installed by has changed since.
pub(crate) fn install_web_dependencies(tree: &Tree) -> Result<()> {
    let wanted = fingerprint(tree, &DEPENDENCIES)?;
    if is_current(tree, INSTALLED_STAMP, &wanted, &[INSTALLED]) {
        return Ok(());
    }
    command::run(&mut tree.command("npm", &["--prefix", "web", "ci", "--no-audit", "--no-fund"]))?;
    fs::write(tree.path(INSTALLED_STAMP), wanted).context("cannot remember what was installed")
}

/// The web UI, and `target/release/infrared` with it.
pub(crate) fn release(tree: &Tree) -> Result<()> {
    web(tree)?;
    let args = ["build", "--release", "--locked", "--package", "infrared-cli"];
    command::run(&mut tree.command("cargo", &args))
}

/// Whether the results are there, and were made of what the stamp says.
fn is_current(tree: &Tree, stamp: &str, made_of: &str, results: &[&str]) -> bool {
    let stamp = fs::read_to_string(tree.path(stamp));
    stamp.is_ok_and(|stamp| stamp == made_of)
        && results.iter().all(|path| tree.path(path).is_file())
}

/// Changes when a file comes, goes or changes.
fn fingerprint(tree: &Tree, files: &[impl AsRef<str>]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in files {
        let path = path.as_ref();
        let bytes = fs::read(tree.path(path)).with_context(|| format!("cannot read {path}"))?;
        (path, bytes).hash(&mut hasher);
    }
    Ok(format!("{:016x}\n", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_the_page_are_found_and_their_fingerprint_is_theirs() {
        let tree = Tree::of_this_project();
        let files = tree.files_below("web", &NO_SOURCES).unwrap();
        for (path, is_source) in [
            ("web/src/main.tsx", true),
            ("web/vite.config.ts", true),
            ("web/package-lock.json", true),
            ("web/test/tree.test.ts", false),
            ("web/dist/index.html", false),
        ] {
            assert_eq!(files.iter().any(|file| file == path), is_source, "{path}");
        }
        let all = fingerprint(&tree, &files).unwrap();
        assert_eq!(all, fingerprint(&tree, &files).unwrap());
        assert_ne!(all, fingerprint(&tree, &files[1..]).unwrap());
    }
}
