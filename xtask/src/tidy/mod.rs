//! The rules of the tree that no compiler checks. Each rule is a pure function from what it looks at to complaints.

mod arrows;
mod licences;
mod links;
mod locks;
mod paths;
mod sources;

use anyhow::{Result, bail};

use crate::tree::Tree;

/// Files of this many lines are named, but allowed.
const MANY_LINES: usize = 400;

pub(crate) fn run(tree: &Tree) -> Result<()> {
    let files = tree.files()?;
    let mut complaints = arrows::check(tree)?;
    complaints.extend(paths::check(&files));
    complaints.extend(licences::check_files(&files));
    let mut long = Vec::new();
    for path in &files {
        let Some(text) = tree.text(path)? else { continue };
        complaints.extend(sources::check(path, &text));
        complaints.extend(licences::check_header(path, &text));
        complaints.extend(locks::check(path, &text));
        complaints.extend(links::check(path, &text, |target| tree.path(target).exists()));
        if sources::has_limit(path) && text.lines().count() > MANY_LINES {
            long.push(format!("{path}: {} lines", text.lines().count()));
        }
    }
    if !long.is_empty() {
        println!("long files, worth a second look:\n  {}", long.join("\n  "));
    }
    if !complaints.is_empty() {
        bail!("the tree is not tidy:\n  {}", complaints.join("\n  "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        run(&Tree::of_this_project()).unwrap();
    }
}
