//! JavaScript's functions in stacks: every Node.js that is here, by programs that know what they did.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use e2e::{Stack, Ways, nodes};

const WAYS: Ways = Ways {
    service: "shares.js",
    // What has awaited goes on from there.
    root: "Builtins_RunMicrotasks",
    ways: &[
        ("burnA", &["work", "throughRecursion", "deep", "deep", "deep", "burnA"]),
        (
            "burnB",
            &["work", "throughCallback", "Builtins_ArrayPrototypeSort", "(anonymous)", "burnB"],
        ),
        ("burnC", &["work", "throughGenerator", "steps", "burnC"]),
        ("burnD", &["work", "throughException", "burnD"]),
        ("burnE", &["throughAwait", "burnE"]),
    ],
    is_its: |stack| !stack.is_rooted() || is_of_script(stack),
};

/// How code is made: as it is by default, interpreted alone, by each of the compilers alone.
const MODES: [&[&str]; 4] = [
    &[],
    &["--jitless"],
    &["--no-opt", "--no-maglev", "--always-sparkplug"],
    &["--no-opt", "--maglev"],
];

/// The engine calls a function. Its other threads compile, and collect.
fn is_of_script(stack: &Stack) -> bool {
    let is_entry = |name: &str| name.starts_with("Builtins_JS") && name.ends_with("Entry");
    stack.frames.iter().any(|frame| is_entry(frame.name()))
}

/// Options come and go with versions.
fn understands(node: &Path, mode: &[&str]) -> Result<bool> {
    let mut command = Command::new(node);
    command.args(mode).args(["-e", "0"]).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command.status()?.success())
}

#[test]
fn functions_have_the_shares_that_they_burn_interpreted_and_compiled() -> Result<()> {
    let nodes = nodes()?;
    ensure!(!nodes.is_empty(), "no Node.js is here");
    for node in &nodes {
        for mode in MODES {
            let which = format!("{} {mode:?}", node.display());
            if !understands(node, mode)? {
                println!("{which}: not understood");
                continue;
            }
            let mut command = Command::new(node);
            let program = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/node/shares.js");
            command.args(mode).arg(program);
            let run = WAYS.record(command)?;
            let named = WAYS.check(&run).with_context(|| which.clone())?;
            println!("{which}: {:.2} % with their functions", named * 100.0);
        }
    }
    Ok(())
}
