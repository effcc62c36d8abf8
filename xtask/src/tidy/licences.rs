//! Licence texts, and the line that says which one a kernel-side file is under.

use crate::tree::extension;

const TEXTS: [&str; 3] = ["LICENSE", "LICENSES/BSD-2-Clause.txt", "LICENSES/GPL-2.0-only.txt"];
/// The kernel gives its helpers to programs under a licence compatible with its own; the headers are shared with user space.
const KERNEL_SIDE: &str = "SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause";

pub(crate) fn check_files(files: &[String]) -> Vec<String> {
    let missing = TEXTS.iter().filter(|text| !files.iter().any(|path| path == *text));
    missing.map(|text| format!("{text} is missing")).collect()
}

pub(crate) fn check_header(path: &str, text: &str) -> Option<String> {
    let is_kernel_side = path.starts_with("bpf/") && ["c", "h"].contains(&extension(path));
    let first = text.lines().next().unwrap_or_default();
    (is_kernel_side && !first.contains(KERNEL_SIDE))
        .then(|| format!("{path}: its first line lacks {KERNEL_SIDE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_must_be_there() {
        assert_eq!(check_files(&TEXTS.map(str::to_owned)), Vec::<String>::new());
        assert_eq!(
            check_files(&TEXTS[1..].iter().map(|t| (*t).to_owned()).collect::<Vec<_>>()),
            ["LICENSE is missing"]
        );
    }

    #[test]
    fn the_kernel_side_says_its_licence() {
        let marked = format!("/* {KERNEL_SIDE} */\n#pragma once\n");
        for (path, text, is_allowed) in [
            ("bpf/unwind/step.h", marked.as_str(), true),
            ("bpf/unwind/step.h", "#pragma once\n", false),
            ("bpf/programs/on_cpu.bpf.c", "", false),
            ("tests/programs/c/plt.c", "", true),
            ("bpf/src/lib.rs", "", true),
        ] {
            assert_eq!(check_header(path, text).is_none(), is_allowed, "{path}: {text:?}");
        }
    }
}
