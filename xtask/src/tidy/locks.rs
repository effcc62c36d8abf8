//! Lock files name versions and checksums, not the host that someone fetched them from.

/// How cargo writes its default registry, whatever mirror serves it.
const CARGO_REGISTRY: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let is_foreign: fn(&str) -> bool = match path.rsplit('/').next() {
        Some("Cargo.lock") => |line| line.starts_with("source = ") && line != CARGO_REGISTRY,
        Some("package-lock.json") => |line| line.trim_start().starts_with("\"resolved\":"),
        _ => return Vec::new(),
    };
    let lines = (1..).zip(text.lines()).filter(|(_, line)| is_foreign(line));
    lines.map(|(number, line)| format!("{path}:{number}: names a host: {}", line.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found() {
        for (path, line, is_allowed) in [
            ("Cargo.lock", CARGO_REGISTRY, true),
            ("Cargo.lock", "source = \"registry+https://mirror.invalid/index\"", false),
            ("Cargo.lock", "source = \"git+https://forge.invalid/fork\"", false),
            (
                "web/package-lock.json",
                "      \"resolved\": \"https://mirror.invalid/a.tgz\",",
                false,
            ),
            ("web/package-lock.json", "      \"integrity\": \"sha512-AA==\",", true),
            ("docs/notes.md", "\"resolved\": \"https://mirror.invalid\"", true),
        ] {
            assert_eq!(check(path, line).is_empty(), is_allowed, "{path}: {line}");
        }
    }
}
