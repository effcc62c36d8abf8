//! The web UI and the release binary.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Context, Result};

use crate::command;
use crate::tree::Tree;

/// Written once `npm ci` is through.
const INSTALLED: &str = "web/node_modules/.package-lock.json";
/// What the last build was made of.
const STAMP: &str = "target/web.stamp";
const RESULTS: [&str; 2] = ["web/dist/index.html", "web/dist-standalone/viewer.js"];
const DEPENDENCIES: [&str; 3] = ["web/package.json", "web/package-lock.json", "web/.npmrc"];

/// `web/dist` and `web/dist-standalone`, if their sources have changed since they were built.
pub(crate) fn web(tree: &Tree) -> Result<()> {
    let sources = fingerprint(tree, is_source)?;
    let is_current = fs::read_to_string(tree.path(STAMP)).is_ok_and(|stamp| stamp == sources);
    if is_current && RESULTS.iter().all(|path| tree.path(path).is_file()) {
        return Ok(());
    }
    install_web_dependencies(tree)?;
    command::run(&mut tree.command("npm", &["--prefix", "web", "--silent", "run", "build"]))?;
    fs::create_dir_all(tree.path("target"))?;
    fs::write(tree.path(STAMP), sources).context("cannot remember what the web UI was built of")
}

/// `web/node_modules`, if the lock file has changed since they were installed.
pub(crate) fn install_web_dependencies(tree: &Tree) -> Result<()> {
    let wanted = fingerprint(tree, |path| DEPENDENCIES.contains(&path))?;
    let stamp = tree.path("web/node_modules/.installed");
    let is_current = fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted);
    if is_current && tree.path(INSTALLED).is_file() {
        return Ok(());
    }
    command::run(&mut tree.command("npm", &["--prefix", "web", "ci", "--no-audit", "--no-fund"]))?;
    fs::write(stamp, wanted).context("cannot remember what was installed")
}

/// The web UI, and `target/release/infrared` with it.
pub(crate) fn release(tree: &Tree) -> Result<()> {
    web(tree)?;
    let args = ["build", "--release", "--locked", "--package", "infrared-cli"];
    command::run(&mut tree.command("cargo", &args))
}

fn is_source(path: &str) -> bool {
    let tests = ["web/test/", "web/e2e/", "web/dev/", "web/bench/", "web/scripts/"];
    path.starts_with("web/") && !tests.iter().any(|folder| path.starts_with(folder))
}

/// Changes when one of the chosen files does.
fn fingerprint(tree: &Tree, is_chosen: impl Fn(&str) -> bool) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in tree.files()?.iter().filter(|path| is_chosen(path)) {
        let bytes = fs::read(tree.path(path)).with_context(|| format!("cannot read {path}"))?;
        (path, bytes).hash(&mut hasher);
    }
    Ok(format!("{:016x}\n", hasher.finish()))
}
