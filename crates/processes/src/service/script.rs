//! Names of scripts.

use std::path::{Component, Path};

/// Files that every project has: their directory tells them apart.
const GENERIC_FILES: &[&str] = &[
    "__init__",
    "__main__",
    "app",
    "application",
    "artisan",
    "asgi",
    "bootstrap",
    "bundle",
    "cli",
    "console",
    "entrypoint",
    "index",
    "init",
    "launcher",
    "main",
    "manage",
    "mod",
    "program",
    "run",
    "server",
    "service",
    "start",
    "startup",
    "worker",
    "wsgi",
];

/// Directories that every project has.
const GENERIC_DIRECTORIES: &[&str] = &[
    "app",
    "application",
    "bin",
    "build",
    "cmd",
    "code",
    "current",
    "dist",
    "home",
    "lib",
    "local",
    "opt",
    "out",
    "public",
    "release",
    "releases",
    "root",
    "sbin",
    "script",
    "scripts",
    "server",
    "site",
    "src",
    "srv",
    "target",
    "tmp",
    "usr",
    "var",
    "workspace",
    "www",
];

/// Whether a script is read from standard input or another open file, which has no name.
pub(super) fn is_nameless(path: &str) -> bool {
    path == "-" || path.starts_with("/dev/") || path.starts_with("/proc/")
}

/// What to call the script at `path`: its file name, after the directory that names the project if
/// the file's own name says nothing (`shop/main.py`).
pub(super) fn script_name(path: &str, working_directory: Option<&Path>) -> String {
    let path = Path::new(path);
    let Some(file) = path.file_name() else {
        return path.to_string_lossy().into_owned();
    };
    let file = file.to_string_lossy();
    let stem = file.split('.').next().unwrap_or(&file);
    if !GENERIC_FILES.contains(&stem.to_ascii_lowercase().as_str()) {
        return file.into_owned();
    }
    let directory = path.parent().unwrap_or(Path::new(""));
    let whole = match working_directory {
        Some(working_directory) => working_directory.join(directory),
        None => directory.to_path_buf(),
    };
    match project_directory(&whole) {
        Some(project) => format!("{project}/{file}"),
        None => file.into_owned(),
    }
}

/// The innermost directory of `path` that is not one that every project has.
pub(super) fn project_directory(path: &Path) -> Option<String> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_string_lossy()),
            Component::ParentDir => drop(names.pop()),
            _ => {}
        }
    }
    let is_telling = |name: &&std::borrow::Cow<'_, str>| {
        let lower = name.to_ascii_lowercase();
        !GENERIC_DIRECTORIES.contains(&lower.as_str())
            && lower.bytes().any(|byte| !byte.is_ascii_digit())
    };
    names.iter().rev().find(is_telling).map(|name| name.clone().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_says_nothing_gets_its_project() {
        for (path, working_directory, name) in [
            ("/srv/shop/report.py", "/", "report.py"),
            ("/srv/shop/main.py", "/", "shop/main.py"),
            ("main.py", "/srv/shop", "shop/main.py"),
            ("./dist/index.js", "/home/ann/shop", "shop/index.js"),
            ("../src/server.js", "/srv/shop/x", "shop/server.js"),
            ("/app/main.py", "/", "main.py"),
            ("/srv/releases/20240102/app.rb", "/", "app.rb"),
            ("/srv/shop/Main.pl", "/", "shop/Main.pl"),
            ("/", "/", "/"),
            ("", "/srv", ""),
        ] {
            assert_eq!(script_name(path, Some(Path::new(working_directory))), name, "{path}");
        }
        assert_eq!(script_name("main.py", None), "main.py");
    }
}
