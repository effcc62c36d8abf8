//! Coverage-guided fuzzing on the stable toolchain: libFuzzer, with the instrumentation that rustc passes on to LLVM.

use anyhow::{Context, Result, bail};

use crate::command;
use crate::tree::Tree;

/// Counters on every edge of our code and our dependencies, and the guards that panic on arithmetic that wraps.
const INSTRUMENTATION: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions -Coverflow-checks -Ccodegen-units=16";
const DEFAULT_SECONDS: u64 = 600;
/// One input may take this long and this much memory.
const LIMITS: [&str; 3] = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=65536"];

pub(crate) fn run(tree: &Tree, args: &[String]) -> Result<()> {
    let (seconds, mut targets) = parse(args)?;
    let binary = build(tree)?;
    if targets.is_empty() {
        targets = all(tree)?;
    }
    for target in targets {
        fuzz(tree, &binary, &target, seconds)?;
    }
    Ok(())
}

/// Every target has a folder of seeds; a test of the package sees to it.
fn all(tree: &Tree) -> Result<Vec<String>> {
    let folders = std::fs::read_dir(tree.path("fuzz/corpus"))?;
    let mut names: Vec<String> = folders
        .map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.sort();
    Ok(names)
}

fn parse(args: &[String]) -> Result<(u64, Vec<String>)> {
    let (mut seconds, mut targets) = (DEFAULT_SECONDS, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => {
                let value = args.next().context("--seconds needs a number")?;
                seconds = value.parse().with_context(|| format!("--seconds {value}: no number"))?;
            }
            option if option.starts_with('-') => bail!("unknown option {option}"),
            target => targets.push(target.to_owned()),
        }
    }
    Ok((seconds, targets))
}

/// The runner of all targets. It has a folder of its own: the flags would make cargo build everything else anew.
fn build(tree: &Tree) -> Result<String> {
    let host = command::output(&mut tree.command("rustc", &["-vV"]))?;
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc does not name its host")?;
    // With --target, build scripts and procedural macros go without the instrumentation.
    let args = [
        "build",
        "--release",
        "--locked",
        "--package",
        "infrared-fuzz",
        "--features",
        "libfuzzer",
        "--target",
        host,
        "--target-dir",
        "target/fuzz",
    ];
    command::run(tree.command("cargo", &args).env("RUSTFLAGS", INSTRUMENTATION))?;
    let binary = tree.path("target/fuzz").join(host).join("release/infrared-fuzz");
    Ok(binary.to_string_lossy().into_owned())
}

/// New inputs stay below `target`; the corpus in the tree is read alone. An input that fails is kept in `fuzz/artifacts`.
fn fuzz(tree: &Tree, binary: &str, target: &str, seconds: u64) -> Result<()> {
    println!("\n── {target}, {seconds} s ──");
    let found = format!("target/fuzz/corpus/{target}");
    let kept = format!("fuzz/corpus/{target}");
    std::fs::create_dir_all(tree.path(&found))?;
    std::fs::create_dir_all(tree.path("fuzz/artifacts"))?;
    let mut command = tree.command(binary, &[found.as_str()]);
    if tree.path(&kept).is_dir() {
        command.arg(&kept);
    }
    command
        .args(LIMITS)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix=fuzz/artifacts/{target}-"))
        .args(["-print_final_stats=1", "-verbosity=1"])
        .env("INFRARED_FUZZ_TARGET", target);
    command::run(&mut command)
        .with_context(|| format!("{target} failed; the input is in fuzz/artifacts"))
}
