//! `cargo xtask COMMAND`: what developers and continuous integration run. The Makefile calls it once the machine is set up.
//!
//! It builds nothing itself and knows no part of the profiler: it runs cargo and npm, and reads the tree.

mod bench;
mod build;
mod ci;
mod command;
mod fuzz;
mod mutants;
mod screenshot;
mod tidy;
mod tree;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::tree::Tree;

const USAGE: &str = "usage: cargo xtask COMMAND

  ci                               everything that must pass, in order; stops at the first failure
  tidy                             the rules of the tree: dependency arrows, sizes, names, licences
  web                              the web UI, if its sources changed
  build                            the web UI and target/release/infrared
  bench [FIGURE…]                  the measured figures
  fuzz [--seconds N] [TARGET…]     fuzz the readers of hostile input
  mutants [--part K/N] [NAME…]     faults put in on purpose, which tests have to find
  screenshot                       docs/images/ui.png, of a running infrared up";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let tree = Tree::of_this_project();
    let (command, rest) = args.split_first().map_or(("help", args), |(c, rest)| (c.as_str(), rest));
    match (command, rest) {
        ("ci", []) => ci::run(&tree),
        ("tidy", []) => tidy::run(&tree),
        ("web", []) => build::web(&tree),
        ("build", []) => build::release(&tree),
        ("bench", figures) => bench::run(&tree, figures),
        ("fuzz", rest) => fuzz::run(&tree, rest),
        ("mutants", rest) => mutants::run(&tree, rest),
        ("screenshot", []) => screenshot::run(&tree),
        ("help" | "--help" | "-h", _) => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("unknown command: {}\n{USAGE}", args.join(" ")),
    }
}
