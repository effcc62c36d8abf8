//! Compiles the BPF programs with clang, and the unwinder once more for the host, where it unwinds copied stacks.

use std::{env, path::PathBuf, process::Command};

const PROGRAMS: [&str; 2] = ["on_cpu", "process_events"];

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("set by cargo");
    let libbpf = env::var("DEP_BPF_INCLUDE").expect("libbpf-sys tells where its headers are");
    for dir in ["programs", "unwind", "host", "abi/include"] {
        println!("cargo:rerun-if-changed={}", root.join(dir).display());
    }
    for program in PROGRAMS {
        compile_program(&root, &out, &arch, &libbpf, program);
    }
    cc::Build::new()
        .file(root.join("host/unwinder.c"))
        .include(root.join("abi/include"))
        .include(root.join("unwind"))
        .define("IR_HOST", None)
        .flag("-std=gnu11")
        .warnings(true)
        .extra_warnings(true)
        .flag("-Wno-unused-parameter")
        .opt_level(2)
        .compile("infrared_host_unwinder");
}

fn compile_program(root: &PathBuf, out: &PathBuf, arch: &str, libbpf: &str, program: &str) {
    let target_arch = match arch {
        "x86_64" => "x86",
        "aarch64" => "arm64",
        other => panic!("no unwinder for {other}"),
    };
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".into());
    // v3 has 32-bit compares and has been in kernels since 5.1.
    let status = Command::new(&clang)
        .args(["-g", "-O2", "-target", "bpf", "-mcpu=v3", "-std=gnu11", "-Wall", "-Wextra", "-Werror"])
        .args(["-Wno-unused-parameter", "-Wno-unused-function"])
        .arg(format!("-D__TARGET_ARCH_{target_arch}"))
        .arg(format!("-ffile-prefix-map={}=bpf", root.display()))
        .arg("-I")
        .arg(libbpf)
        .arg("-I")
        .arg(root.join("abi/include"))
        .arg("-I")
        .arg(root.join("unwind"))
        .arg(format!("-I/usr/include/{arch}-linux-gnu"))
        .arg("-c")
        .arg(root.join(format!("programs/{program}.bpf.c")))
        .arg("-o")
        .arg(out.join(format!("{program}.bpf.o")))
        .status()
        .unwrap_or_else(|error| panic!("cannot run {clang}: {error} (Debian package: clang)"));
    assert!(status.success(), "{clang} failed on {program}.bpf.c");
}
