//! Generates the Rust types of the C headers, and the tables of stop reasons and counters from their X-macro lists.

use std::{env, fs, path::PathBuf};

fn main() {
    let include =
        PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("include");
    println!("cargo:rerun-if-changed={}", include.display());
    println!("cargo:include={}", include.display());
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));
    bindgen::Builder::default()
        .header(include.join("abi.h").to_string_lossy())
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
    fs::write(out.join("lists.rs"), lists).expect("OUT_DIR is writable");
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
