//! Text of source files: length, unsafe code, leftovers, paths of the author's machine.

use crate::tree::extension;

const MAX_LINES: usize = 600;
const LIMITED: [&str; 9] = ["rs", "c", "h", "S", "ts", "tsx", "mjs", "css", "go"];
/// Where code must go below what the compiler can check.
const UNSAFE_ALLOWED: [&str; 5] =
    ["bench/src/switch.rs", "bpf/", "crates/processes/", "tests/programs/", "xtask/src/tidy/"];
const UNSAFE_FORMS: [&str; 6] =
    ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "#[unsafe(", "allow(unsafe_code"];
/// Written apart, so that this file does not hold them.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
const MACHINE_PATHS: [&str; 3] =
    [concat!("/wo", "rk/main"), concat!("/wo", "rk/shared"), concat!("/tmp/", "bash")];

/// Whether the length of the file is limited.
pub(crate) fn has_limit(path: &str) -> bool {
    LIMITED.contains(&extension(path))
}

pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if has_limit(path) && lines > MAX_LINES {
        complaints.push(format!("{path}: {lines} lines, {MAX_LINES} at most"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        complaints.extend(complaint(path, line).map(|what| format!("{path}:{number}: {what}")));
    }
    complaints
}

fn complaint(path: &str, line: &str) -> Option<String> {
    let code = line.trim_start();
    let is_comment = code.starts_with("//");
    let may_be_unsafe = UNSAFE_ALLOWED.iter().any(|folder| path.starts_with(folder));
    let is_bound = extension(path) == "rs" && !is_comment && !may_be_unsafe;
    if let Some(form) = UNSAFE_FORMS.iter().find(|form| is_bound && code.contains(*form)) {
        return Some(format!("`{form}` where the compiler can check"));
    }
    if let Some(word) = UNFINISHED.iter().find(|word| has_unowned(line, word)) {
        return Some(format!("{word} without an owner or issue: {word}(#12)"));
    }
    let found = MACHINE_PATHS.iter().find(|found| line.contains(*found));
    found.map(|found| format!("a path of one machine: {found}"))
}

fn has_unowned(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let starts = !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &line[at + word.len()..];
        starts && !rest.starts_with(|c: char| c == '(' || c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_judged() {
        let unfinished = UNFINISHED[0];
        for (path, line, is_allowed) in [
            ("crates/unwind/src/lib.rs", "    let x = unsafe { y() };", false),
            ("crates/unwind/src/lib.rs", "#![allow(unsafe_code)]", false),
            ("crates/unwind/src/lib.rs", "/// no unsafe { } here", true),
            ("crates/processes/src/lib.rs", "    let x = unsafe { y() };", true),
            ("bpf/src/lib.rs", "unsafe impl Pod for Sample {}", true),
            ("web/src/app.tsx", &format!("// {unfinished}: later"), false),
            ("web/src/app.tsx", &format!("// {unfinished}(#12): later"), true),
            ("README.md", MACHINE_PATHS[0], false),
        ] {
            assert_eq!(check(path, line).is_empty(), is_allowed, "{path}: {line}");
        }
    }

    #[test]
    fn source_files_have_an_end() {
        let long = "\n".repeat(MAX_LINES + 1);
        assert!(check("docs/unwinding.md", &long).is_empty());
        assert!(check("bpf/unwind/step.h", &long[1..]).is_empty());
        assert_eq!(check("bpf/unwind/step.h", &long).len(), 1);
    }
}
