//! Faults put into the code on purpose, one at a time: each has to be found by the test that says it would find it.
//!
//! The list is `xtask/mutants.toml`. A fault that no test finds is a hole in the tests; one that no longer applies is a
//! list that nobody has kept. The tree itself is not touched: the faults go into a copy of it.

mod seed;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::tree::Tree;

/// A test that takes longer hangs, which is a way to find a fault.
const PATIENCE_S: &str = "300";

/// One fault.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    /// Says what is wrong.
    name: String,
    file: String,
    /// Occurs once in the file.
    find: String,
    replace: String,
    /// The package of the test; its target, `lib` or the name of an integration test; and the test.
    package: String,
    target: String,
    test: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
}

/// Which of the list.
#[derive(Debug, Default)]
struct Selection {
    names: Vec<String>,
    /// The k-th of n parts, counted from 0.
    part: Option<(usize, usize)>,
}

/// What became of a fault.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Killed,
    Survived,
    /// The named test did not fail, though something did.
    KilledByAnother,
    DoesNotApply,
    DoesNotBuild(String),
}

pub(crate) fn run(tree: &Tree, args: &[String]) -> Result<()> {
    let selection = parse(args)?;
    let text = std::fs::read_to_string(tree.path("xtask/mutants.toml"))?;
    let list: List = toml::from_str(&text).context("xtask/mutants.toml")?;
    let copy = copy(tree)?;
    let own: Vec<_> = tree.packages()?.into_iter().map(|package: Package| package.name).collect();
    seed::seed(&tree.path("target/debug"), &copy.join("target/debug"), &own)?;
    let mut failed = 0;
    let chosen: Vec<&Mutant> = choose(&list.mutant, &selection);
    for mutant in &chosen {
        let fate = try_out(&copy, mutant)?;
        println!("{:<16} {}", text_of(&fate), mutant.name);
        if let Fate::DoesNotBuild(why) = &fate {
            println!("{why}");
        }
        failed += usize::from(fate != Fate::Killed);
    }
    println!("{} of {} mutants killed", chosen.len() - failed, chosen.len());
    if failed > 0 {
        bail!("{failed} mutants were not killed by the tests that they name");
    }
    Ok(())
}

/// A tenth of the list, another one with each commit.
pub(crate) fn run_tenth(tree: &Tree) -> Result<()> {
    let count = ["-c", "safe.directory=*", "rev-list", "--count", "HEAD"];
    let count = crate::command::output(&mut tree.command("git", &count))?;
    let commits: usize = count.trim().parse().context("git counts commits")?;
    run(tree, &["--part".to_owned(), format!("{}/10", commits % 10)])
}

fn parse(args: &[String]) -> Result<Selection> {
    let mut selection = Selection::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--part" => {
                let value = args.next().context("--part needs K/N")?;
                let (part, parts) = value.split_once('/').context("--part needs K/N")?;
                let (part, parts): (usize, usize) = (part.parse()?, parts.parse()?);
                if part >= parts {
                    bail!("--part {value}: parts are counted from 0");
                }
                selection.part = Some((part, parts));
            }
            option if option.starts_with('-') => bail!("unknown option {option}"),
            name => selection.names.push(name.to_owned()),
        }
    }
    Ok(selection)
}

fn choose<'l>(list: &'l [Mutant], selection: &Selection) -> Vec<&'l Mutant> {
    let is_named = |mutant: &Mutant| {
        selection.names.is_empty() || selection.names.iter().any(|name| mutant.name.contains(name))
    };
    let is_in_part =
        |index: usize| selection.part.is_none_or(|(part, parts)| index % parts == part);
    let chosen =
        list.iter().enumerate().filter(|(index, mutant)| is_in_part(*index) && is_named(mutant));
    chosen.map(|(_, mutant)| mutant).collect()
}

/// Brings the copy up to date. What has not changed keeps its time, so that it is not built anew; what the tree has no more is
/// removed.
fn copy(tree: &Tree) -> Result<PathBuf> {
    let copy = tree.path("target/mutants");
    let files = tree.files()?;
    let kept = files.iter().map(|file| copy.join(file)).chain([copy.join("target")]).collect();
    if copy.exists() {
        remove_all_but(&kept, &copy)?;
    }
    for file in files {
        let (from, to) = (tree.path(&file), copy.join(&file));
        if from.is_symlink() || from.is_dir() {
            continue;
        }
        let content = std::fs::read(&from).with_context(|| format!("cannot read {file}"))?;
        if std::fs::read(&to).is_ok_and(|known| known == content) {
            continue;
        }
        std::fs::create_dir_all(to.parent().unwrap_or(Path::new("/")))?;
        std::fs::copy(&from, &to).with_context(|| format!("cannot copy {file}"))?;
    }
    Ok(copy)
}

/// Removes the files below `folder` that are not among `kept`, which may name folders, too.
fn remove_all_but(kept: &HashSet<PathBuf>, folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if kept.contains(&path) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            remove_all_but(kept, &path)?;
        } else {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn try_out(copy: &Path, mutant: &Mutant) -> Result<Fate> {
    let path = copy.join(&mutant.file);
    let original = std::fs::read_to_string(&path).with_context(|| format!("no {}", mutant.file))?;
    if original.matches(&mutant.find).count() != 1 {
        return Ok(Fate::DoesNotApply);
    }
    std::fs::write(&path, original.replacen(&mutant.find, &mutant.replace, 1))?;
    let fate = test(copy, mutant);
    std::fs::write(&path, original)?;
    fate
}

fn test(copy: &Path, mutant: &Mutant) -> Result<Fate> {
    let mut command = Command::new("timeout");
    // A folder of its own: what is built of the copy would pass for what is built of the tree.
    command.current_dir(copy).env("CARGO_TARGET_DIR", copy.join("target"));
    command.args([PATIENCE_S, "cargo", "test", "--locked", "--package", &mutant.package]);
    match mutant.target.as_str() {
        "lib" => command.arg("--lib"),
        test => command.args(["--test", test]),
    };
    command.args(["--", "--test-threads=1", "--exact", &mutant.test]);
    let output = command.output().context("cannot run timeout(1)")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("could not compile") || errors.contains("failed to run custom build command")
    {
        return Ok(Fate::DoesNotBuild(errors.into_owned()));
    }
    let has_hung = output.status.code() == Some(124);
    let has_failed = said.contains(&format!("{} ... FAILED", mutant.test))
        || said.contains(&format!("\n    {}\n", mutant.test));
    Ok(if has_hung || has_failed {
        Fate::Killed
    } else if said.contains("running 0 tests") {
        Fate::DoesNotBuild(format!("there is no test {}", mutant.test))
    } else if output.status.success() {
        Fate::Survived
    } else {
        Fate::KilledByAnother
    })
}

fn text_of(fate: &Fate) -> &'static str {
    match fate {
        Fate::Killed => "killed",
        Fate::Survived => "SURVIVED",
        Fate::KilledByAnother => "OTHER TEST",
        Fate::DoesNotApply => "DOES NOT APPLY",
        Fate::DoesNotBuild(_) => "DOES NOT BUILD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_the_tree_has_no_more_leaves_the_copy() {
        let folder = std::env::temp_dir().join(format!("mutants-{}", std::process::id()));
        for file in ["src/kept.rs", "src/renamed.rs", "target/debug/built"] {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let kept = [folder.join("src/kept.rs"), folder.join("target")].into();
        remove_all_but(&kept, &folder).unwrap();
        let left = ["src/kept.rs", "src/renamed.rs", "target/debug/built"]
            .map(|file| folder.join(file).exists());
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(left, [true, false, true]);
    }
}
