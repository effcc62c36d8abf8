//! Compiles the BPF programs with clang, and the unwinder once more for the host, where it unwinds copied stacks.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

const PROGRAMS: [&str; 3] = ["on_cpu", "process_events", "reference"];

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
    bind_host_unwinder(&root, &out);
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

/// The types of the host build's interface; those of the ABI come from `infrared-abi`.
fn bind_host_unwinder(root: &Path, out: &Path) {
    bindgen::Builder::default()
        .header(root.join("host/unwinder.h").to_string_lossy())
        .clang_args(["-DIR_HOST", "-std=gnu11"])
        .clang_arg(format!("-I{}", root.join("abi/include").display()))
        .clang_arg(format!("-I{}", root.join("unwind").display()))
        .allowlist_function("ir_host_.*")
        .allowlist_type("ir_walk|ir_host")
        .blocklist_type(
            "ir_calls|ir_frame|ir_mapping|ir_page|ir_page_key|ir_process|ir_registers|ir_return|ir_row|ir_rule|ir_runtime_states|ir_stack",
        )
        .derive_default(true)
        .layout_tests(false)
        .generate()
        .expect("unwinder.h is valid C")
        .write_to_file(out.join("host_unwinder.rs"))
        .expect("OUT_DIR is writable");
}

fn compile_program(root: &Path, out: &Path, arch: &str, libbpf: &str, program: &str) {
    let target_arch = match arch {
        "x86_64" => "x86",
        "aarch64" => "arm64",
        other => panic!("no unwinder for {other}"),
    };
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".into());
    // v3 has 32-bit compares and has been in kernels since 5.1.
    let status = Command::new(&clang)
        .args([
            "-g",
            "-O2",
            "-target",
            "bpf",
            "-mcpu=v3",
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Werror",
        ])
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
