//! Compiles what Infrared's sampling is compared with.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "bpf/reference.bpf.c";

fn main() {
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("set by cargo");
    let libbpf = env::var("DEP_BPF_INCLUDE").expect("libbpf-sys tells where its headers are");
    println!("cargo:rerun-if-changed={SOURCE}");
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".into());
    let status = Command::new(&clang)
        .args(["-g", "-O2", "-target", "bpf", "-mcpu=v3", "-std=gnu11", "-Wall", "-Werror", "-I"])
        .arg(libbpf)
        .arg(format!("-I/usr/include/{arch}-linux-gnu"))
        .args(["-c", SOURCE, "-o"])
        .arg(out.join("reference.bpf.o"))
        .status()
        .unwrap_or_else(|error| panic!("cannot run {clang}: {error} (Debian package: clang)"));
    assert!(status.success(), "{clang} failed on {SOURCE}");
}
