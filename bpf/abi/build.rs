//! Generates the Rust types of the C headers, and the lists of runtimes, stop reasons and counters from their X-macros.

use std::{env, fs, path::PathBuf};

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
    // What a runtime keeps is declared beside the steps that read it.
    let (include, unwind) = (root.join("include"), root.join("../unwind"));
    println!("cargo:rerun-if-changed={}", include.display());
    println!("cargo:rerun-if-changed={}", unwind.join("runtimes").display());
    println!("cargo:include={}", include.display());
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));
    bindgen::Builder::default()
        .header(include.join("abi.h").to_string_lossy())
        .clang_arg(format!("-I{}", unwind.display()))
        .allowlist_type("ir_.*")
        .allowlist_var("IR_.*")
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .derive_default(true)
        .derive_eq(true)
        .derive_hash(true)
        .layout_tests(false)
        .generate()
        .expect("abi.h is valid C")
        .write_to_file(out.join("abi.rs"))
        .expect("OUT_DIR is writable");
    let read = |name: &str| fs::read_to_string(include.join(name)).expect("header exists");
    let mut lists = String::new();
    lists.push_str("/// (id, text, meaning) of every stop reason, in order of ids.\n");
    lists.push_str("pub const STOP_REASONS: &[(u32, &str, &str)] = &[\n");
    for args in x_macro_entries(&read("stop_reason.h")) {
        lists.push_str(&["    (", &args[0], ", ", &args[2], ", ", &args[3], "),\n"].concat());
    }
    lists.push_str("];\n/// (name, help) of every counter, in order of `ir_stat`.\npub const STATS: &[(&str, &str)] = &[\n");
    for args in x_macro_entries(&read("stats.h")) {
        lists.push_str(&["    (", &args[1], ", ", &args[2], "),\n"].concat());
    }
    lists.push_str("];\n");
    lists.push_str(&runtimes(&x_macro_entries(&read("runtimes.h"))));
    fs::write(out.join("lists.rs"), lists).expect("OUT_DIR is writable");
}

/// The runtimes as a Rust enum.
fn runtimes(entries: &[Vec<String>]) -> String {
    let variants: Vec<String> = entries.iter().map(|args| camel_case(&args[1])).collect();
    let numbered = variants.iter().zip(entries);
    let (mut numbers, mut names) = (String::new(), String::new());
    for (variant, args) in numbered {
        numbers.push_str(&["    ", variant, " = ", &args[0], ",\n"].concat());
        names.push_str(&["            Self::", variant, " => ", &args[2], ",\n"].concat());
    }
    let all = variants.iter().map(|variant| ["Self::", variant].concat()).collect::<Vec<_>>();
    [
        "/// A language runtime that the walk follows, by its number in rules.\n",
        "#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]\n#[repr(u8)]\npub enum RuntimeId {\n",
        &numbers,
        "}\n\nimpl RuntimeId {\n    /// All of them, in order of their numbers.\n",
        &["    pub const ALL: &[Self] = &[", &all.join(", "), "];\n\n"].concat(),
        "    /// As people call it.\n    pub const fn name(self) -> &'static str {\n        match self {\n",
        &names,
        "        }\n    }\n}\n",
    ]
    .concat()
}

/// `HOT_SPOT` → `HotSpot`.
fn camel_case(name: &str) -> String {
    let word = |word: &str| [&word[..1], &word[1..].to_lowercase()].concat();
    name.split('_').map(word).collect()
}

/// The arguments of each `X(...)` line of a header.
fn x_macro_entries(header: &str) -> Vec<Vec<String>> {
    header
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("X(")?.rsplit_once(')').map(|(args, _)| args.to_owned())
        })
        .map(|args| split_outside_quotes(&args))
        .collect()
}

fn split_outside_quotes(args: &str) -> Vec<String> {
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for c in args.chars() {
        quoted ^= c == '"';
        match c {
            ',' if !quoted => parts.push(String::new()),
            _ => parts.last_mut().expect("starts with one").push(c),
        }
    }
    parts.into_iter().map(|p| p.trim().to_owned()).collect()
}
