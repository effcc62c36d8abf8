//! Links in documents: those to files of the tree lead somewhere.

use crate::tree::extension;

/// `exists` tells whether a path from the root does.
pub(crate) fn check(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    if extension(path) != "md" {
        return Vec::new();
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    targets(text)
        .filter(|target| {
            !target.contains("://") && !target.starts_with('#') && !target.starts_with("mailto:")
        })
        .filter_map(|target| {
            let file = target.split('#').next().unwrap_or(target);
            let found = join(folder, file);
            (!exists(&found)).then(|| format!("{path}: a link to {target}, which is not there"))
        })
        .collect()
}

/// What stands between `](` and `)`.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

/// `docs/adr` and `../unwinding.md` make `docs/unwinding.md`.
fn join(folder: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_somewhere() {
        for (path, text, is_allowed) in [
            ("README.md", "see [this](docs/unwinding.md#rules)", true),
            ("README.md", "see [this](docs/gone.md)", false),
            ("docs/adr/0001.md", "see [this](../unwinding.md)", true),
            ("docs/adr/0001.md", "see [this](unwinding.md)", false),
            ("docs/a.md", "[far](https://example.org/x) [here](#rules)", true),
            ("src/lib.rs", "[this](gone.md)", true),
        ] {
            let said = check(path, text, |target| target == "docs/unwinding.md");
            assert_eq!(said.is_empty(), is_allowed, "{path}: {text}");
        }
    }
}
