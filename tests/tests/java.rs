//! Java's methods in stacks: every virtual machine that is here, by programs that know what they did.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::{Stack, Ways, built, javas};

const WAYS: Ways = Ways {
    service: "shares",
    root: "work",
    ways: &[
        ("burnA", &["work", "turn", "throughRecursion", "deep", "deep", "deep", "burnA"]),
        (
            "burnB",
            &["work", "turn", "throughCallback", "sort", "lambda$throughCallback$0", "burnB"],
        ),
        ("burnC", &["work", "turn", "throughInterface", "price", "burnC"]),
        ("burnD", &["work", "turn", "throughException", "burnD"]),
        ("burnE", &["work", "turn", "throughReflection", "invoke", "burnE"]),
    ],
    is_its: |stack| !stack.is_rooted() || is_of_java(stack),
};

/// How code is made.
const MODES: [&[&str]; 3] = [&[], &["-Xint"], &["-XX:TieredStopAtLevel=1"]];

/// The machine calls a method. Its other threads compile, and collect.
fn is_of_java(stack: &Stack) -> bool {
    stack.frames.iter().any(|frame| frame.0.starts_with("[StubRoutines"))
}

#[test]
fn methods_have_the_shares_that_they_burn_interpreted_and_compiled() -> Result<()> {
    let javas = javas()?;
    ensure!(!javas.is_empty(), "no Java is here");
    for java in &javas {
        for mode in MODES {
            let mut command = Command::new(java);
            command.args(mode).arg("-jar").arg(built("shares.jar")?);
            let run = WAYS.record(command)?;
            let which = format!("{} {mode:?}", java.display());
            let named = WAYS.check(&run).with_context(|| which.clone())?;
            println!("{which}: {:.2} % with their methods", named * 100.0);
        }
    }
    Ok(())
}
