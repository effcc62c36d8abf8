//! The ground-truth programs: how each is built, from our own sources, once per version of sources, table and compilers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

use crate::machine::cache_dir;

/// What turns sources into a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compiler {
    C,
    Cpp,
    Musl,
    Rust,
    Go,
    /// To a jar whose main class is that of the source.
    Java,
}

/// A program or library that tests run; release builds without frame pointers.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    pub name: &'static str,
    compiler: Compiler,
    /// Relative to `programs/`.
    sources: &'static [&'static str],
    flags: &'static [&'static str],
}

const fn c(name: &'static str, sources: &'static [&'static str]) -> Program {
    Program { name, compiler: Compiler::C, sources, flags: &[] }
}

const fn with(program: Program, flags: &'static [&'static str]) -> Program {
    Program { flags, ..program }
}

const fn by(compiler: Compiler, name: &'static str, sources: &'static [&'static str]) -> Program {
    Program { name, compiler, sources, flags: &[] }
}

/// Unwind information in `.debug_frame` alone, as in C programs that are built to be small.
const DEBUG_FRAME_ONLY: [&str; 3] = ["-g", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"];

/// No unwind information, but frame pointers, as in Chromium; and neither.
const FRAME_POINTERS_ONLY: [&str; 4] = [
    "-fno-omit-frame-pointer",
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
    "-DFRAME_POINTERS",
];
const NEITHER: [&str; 2] = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"];

/// For every version since 8, by any compiler. `$1`: the jar; `$2`: the source.
const JAR: &str = r#"
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
javac -nowarn --release 8 -d "$classes" "$2" 2>&1
jar --create --file "$1" --main-class "$(basename "$2" .java)" -C "$classes" .
"#;

/// Libraries stand before what links them. In a flag, `{out}` is the folder of the results.
const PROGRAMS: &[Program] = &[
    with(c("shares-c", &["c/shares.c"]), &["-lm"]),
    with(
        c("shares-c-framed", &["c/shares.c"]),
        &["-lm", "-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer"],
    ),
    by(Compiler::Cpp, "shares-cpp", &["cpp/shares.cpp"]),
    by(Compiler::Rust, "shares-rust", &["rust/shares.rs"]),
    with(by(Compiler::Go, "shares-go", &["shares"]), &["-ldflags=-s -w"]),
    by(Compiler::Go, "go-stacks", &["stacks"]),
    by(Compiler::Go, "go-server", &["server"]),
    by(Compiler::Go, "go-brief", &["brief"]),
    c("recursion", &["c/recursion.c"]),
    c("signal", &["c/signal.c"]),
    with(c("libplugin.so", &["c/plugin.c"]), &["-shared", "-fPIC"]),
    c("dlopen", &["c/dlopen.c"]),
    c("simple", &["c/simple.c"]),
    with(c("simple-exported", &["c/simple.c"]), &["-rdynamic"]),
    with(c("simple-unread", &["c/simple.c"]), &["-rdynamic", "-DUNREAD_TABLE"]),
    with(c("simple-static", &["c/simple.c"]), &["-static"]),
    with(c("simple-static-pie", &["c/simple.c"]), &["-static-pie"]),
    with(by(Compiler::Musl, "simple-musl", &["c/simple.c"]), &["-static"]),
    with(c("simple-debug-frame", &["c/simple.c"]), &DEBUG_FRAME_ONLY),
    with(c("simple-frame-pointers", &["c/simple.c", "asm/many_functions.S"]), &FRAME_POINTERS_ONLY),
    with(c("simple-neither", &["c/simple.c", "asm/many_functions.S"]), &NEITHER),
    c("impostor", &["c/impostor.c"]),
    c("brief", &["c/brief.c"]),
    c("stack-layout", &["c/stack_layout.c"]),
    with(c("stack-drap", &["c/stack_layout.c"]), &["-mavx", "-mstackrealign", "-mforce-drap"]),
    c("vdso", &["c/vdso.c"]),
    with(c("libtiny.so", &["c/tiny.c"]), &["-shared", "-fPIC"]),
    with(c("plt", &["c/plt.c"]), &["-Wl,-z,lazy", "-L{out}", "-l:libtiny.so", "-Wl,-rpath,{out}"]),
    c("memfd", &["c/memfd.c"]),
    c("jit", &["c/jit.c"]),
    c("jit-reuse", &["c/jit_reuse.c"]),
    c("jit-frameless", &["c/jit_frameless.c"]),
    c("children", &["c/children.c"]),
    c("syscalls", &["c/syscalls.c"]),
    c("jumps", &["c/jumps.c"]),
    c("coroutines", &["c/coroutines.c"]),
    with(c("inlined", &["c/inlined.c"]), &["-g"]),
    c("assembly", &["c/assembly.c", "asm/without_cfi.S"]),
    c("churn", &["c/churn.c"]),
    c("registers", &["c/registers.c", "asm/cfa_in_register.S"]),
    with(c("exec-loop", &["c/exec_loop.c"]), &["-static"]),
    c("map-storm", &["c/map_storm.c"]),
    c("image-flood", &["c/image_flood.c"]),
    c("dead-leader", &["c/dead_leader.c"]),
    c("false-root", &["c/false_root.c"]),
    c("moved-text", &["c/moved_text.c"]),
    c("successor", &["c/successor.c"]),
    c("tracer", &["c/tracer.c"]),
    c("file-swap", &["c/file_swap.c"]),
    c("served-file", &["c/served_file.c"]),
    with(c("liblarge.so", &["c/large_library.c"]), &["-shared", "-fPIC"]),
    c("many-libraries", &["c/many_libraries.c"]),
    by(Compiler::Go, "cgo", &["cgo"]),
    by(Compiler::Java, "shares.jar", &["java/Shares.java"]),
    by(Compiler::Java, "lines.jar", &["java/Lines.java"]),
    by(Compiler::Java, "server.jar", &["java/Server.java"]),
];

/// All of them.
pub fn programs() -> impl Iterator<Item = &'static Program> {
    PROGRAMS.iter()
}

/// The path of the program or library `name`, built if it is not there yet.
pub fn built(name: &str) -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let out = out_dir()?;
    if name == "plt" {
        build(find("libtiny.so")?, &out)?;
    }
    build(find(name)?, &out)
}

fn find(name: &str) -> Result<&'static Program> {
    let found = PROGRAMS.iter().find(|program| program.name == name);
    found.with_context(|| format!("there is no ground-truth program {name}"))
}

fn build(program: &Program, out: &Path) -> Result<PathBuf> {
    let path = out.join(program.name);
    if path.is_file() {
        return Ok(path);
    }
    let partial = out.join(format!("{}.{}.partial", program.name, std::process::id()));
    let mut command = compile(program, out, &partial);
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::rename(&partial, &path).context("cannot put a built program in place")?;
    Ok(path)
}

fn compile(program: &Program, out: &Path, to: &Path) -> Command {
    let sources = sources_dir();
    let files = program.sources.iter().map(|source| sources.join(source));
    let flags = program.flags.iter().map(|flag| flag.replace("{out}", &out.display().to_string()));
    let name = match program.compiler {
        Compiler::C => "gcc",
        Compiler::Cpp => "g++",
        Compiler::Musl => "musl-gcc",
        Compiler::Rust => "rustc",
        Compiler::Go => "go",
        Compiler::Java => "sh",
    };
    let mut command = Command::new(name);
    match program.compiler {
        Compiler::C | Compiler::Musl => command.args(["-std=gnu17", "-O2", "-fomit-frame-pointer"]),
        Compiler::Cpp => command.args(["-std=c++20", "-O2", "-fomit-frame-pointer"]),
        Compiler::Rust => command.args(["--edition", "2024", "-O", "-Cforce-frame-pointers=no"]),
        Compiler::Go => command.current_dir(sources.join("go")).arg("build"),
        Compiler::Java => command.args(["-ec", JAR, "sh"]),
    };
    match program.compiler {
        Compiler::Go => {
            let packages = program.sources.iter().map(|source| format!("./{source}"));
            command.args(flags).arg("-o").arg(to).args(packages)
        }
        Compiler::Java => command.arg(to).args(files),
        Compiler::Rust => command.arg("-o").arg(to).args(files).args(flags),
        _ => command.arg("-o").arg(to).args(files).args(flags).args(["-lpthread", "-ldl"]),
    };
    command
}

fn sources_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// A folder for this version of everything that decides what the programs are. Those of other versions are removed.
fn out_dir() -> Result<PathBuf> {
    let parent = cache_dir()?.join("programs");
    let dir = parent.join(format!("{:016x}", fingerprint()?));
    if !dir.is_dir() {
        if parent.is_dir() {
            std::fs::remove_dir_all(&parent).context("cannot remove old programs")?;
        }
        std::fs::create_dir_all(&dir).context("cannot create the programs' folder")?;
    }
    Ok(dir)
}

fn fingerprint() -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    include_str!("programs.rs").hash(&mut hasher);
    let mut folders = vec![sources_dir()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    for file in files {
        std::fs::read(&file)?.hash(&mut hasher);
    }
    let compilers =
        [("gcc", "--version"), ("g++", "--version"), ("rustc", "-V"), ("go", "version")];
    for (name, flag) in compilers {
        let output = Command::new(name).arg(flag).output();
        output
            .with_context(|| format!("{name} is missing: `make test` installs it"))?
            .stdout
            .hash(&mut hasher);
    }
    Ok(hasher.finish())
}
