//! Names of files: no folders for leftovers, nothing that a build generates.

/// A folder or file of such a name has no one reason to change.
const VAGUE: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "misc"];
const GENERATED_ENDINGS: [&str; 6] = [".o", ".so", ".skel.rs", ".profraw", ".pyc", ".min.js"];
const GENERATED_FOLDERS: [&str; 4] = ["target", "dist", "dist-standalone", "node_modules"];

pub(crate) fn check(files: &[String]) -> Vec<String> {
    files
        .iter()
        .filter(|path| !path.contains("/testdata/"))
        .filter_map(|path| complaint(path))
        .collect()
}

fn complaint(path: &str) -> Option<String> {
    let mut parts = path.split('/');
    let stem = |part: &str| part.split('.').next().unwrap_or(part).to_lowercase();
    if parts.any(|part| VAGUE.contains(&stem(part).as_str())) {
        return Some(format!("{path}: a name that says nothing"));
    }
    let is_generated = GENERATED_ENDINGS.iter().any(|ending| path.ends_with(ending))
        || path.split('/').any(|part| GENERATED_FOLDERS.contains(&part));
    is_generated.then(|| format!("{path}: a build makes it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged() {
        for (path, is_allowed) in [
            ("crates/unwind/src/cfi/mod.rs", true),
            ("crates/unwind/src/util.rs", false),
            ("web/src/utils/format.ts", false),
            ("crates/common/Cargo.toml", false),
            ("web/src/model/uncommon.ts", true),
            ("bpf/programs/on_cpu.bpf.o", false),
            ("web/dist/index.html", false),
            ("docs/images/ui.png", true),
            ("crates/processes/testdata/lib.so", true),
        ] {
            assert_eq!(check(&[path.to_owned()]).is_empty(), is_allowed, "{path}");
        }
    }
}
