//! What must pass, in order: the quick checks first, the whole machine last.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::tree::Tree;
use crate::{build, command, mutants, tidy};

struct Step {
    name: &'static str,
    run: fn(&Tree) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "format", run: format },
    Step { name: "tidy", run: tidy::run },
    Step { name: "web build", run: build::web },
    Step { name: "web tests", run: web_tests },
    Step { name: "clippy", run: clippy },
    Step { name: "release build", run: build::release },
    Step { name: "unit tests", run: unit_tests },
    Step { name: "kernel tests", run: kernel_tests },
    Step { name: "mutants, a tenth", run: mutants::run_tenth },
    Step { name: "web in Chromium", run: web_in_chromium },
    Step { name: "end to end", run: end_to_end },
];

/// The packages whose tests load BPF programs: one test at a time.
const KERNEL_PACKAGES: [&str; 3] = ["infrared-bpf", "infrared-agent", "infrared-cli"];

pub(crate) fn run(tree: &Tree) -> Result<()> {
    let start = Instant::now();
    let mut timings = Vec::new();
    for step in STEPS {
        println!("\n── {} ──", step.name);
        let begun = Instant::now();
        let result = (step.run)(tree);
        timings.push((step.name, begun.elapsed()));
        if result.is_err() {
            report(&timings, start.elapsed());
        }
        result.with_context(|| format!("{} failed", step.name))?;
    }
    report(&timings, start.elapsed());
    println!("everything passed");
    Ok(())
}

fn report(timings: &[(&str, Duration)], total: Duration) {
    println!();
    for (name, time) in timings {
        println!("{name:<16} {:>7.1} s", time.as_secs_f64());
    }
    println!("{:<16} {:>7.1} s", "total", total.as_secs_f64());
}

fn format(tree: &Tree) -> Result<()> {
    cargo(tree, &["fmt", "--all", "--check"])
}

fn clippy(tree: &Tree) -> Result<()> {
    cargo(tree, &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn web_tests(tree: &Tree) -> Result<()> {
    build::install_web_dependencies(tree)?;
    npm(tree, "test")
}

fn web_in_chromium(tree: &Tree) -> Result<()> {
    npm(tree, "e2e")
}

fn unit_tests(tree: &Tree) -> Result<()> {
    let mut command = tree.command("cargo", &["test", "--locked", "--workspace"]);
    for package in KERNEL_PACKAGES.iter().chain(&["e2e"]) {
        command.args(["--exclude", package]);
    }
    command::run(&mut command)
}

fn kernel_tests(tree: &Tree) -> Result<()> {
    let mut command = tree.command("cargo", &["test", "--locked"]);
    for package in KERNEL_PACKAGES {
        command.args(["--package", package]);
    }
    command::run(command.args(["--", "--test-threads=1"]))
}

fn end_to_end(tree: &Tree) -> Result<()> {
    cargo(tree, &["test", "--locked", "--package", "e2e"])
}

fn cargo(tree: &Tree, args: &[&str]) -> Result<()> {
    command::run(&mut tree.command("cargo", args))
}

fn npm(tree: &Tree, script: &str) -> Result<()> {
    let mut command: Command = tree.command("npm", &["--prefix", "web", "run", "--silent", script]);
    command::run(&mut command)
}
