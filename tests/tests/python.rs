//! Python's functions in stacks: every version that is here, by programs that know what they did.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::{Interpreter, Ways, pythons};

const WAYS: Ways = Ways {
    service: "shares.py",
    root: "work",
    ways: &[
        ("burn_a", &["work", "turn", "through_recursion", "deep", "deep", "burn_a"]),
        ("burn_b", &["work", "turn", "through_callback", "<lambda>", "burn_b"]),
        ("burn_c", &["work", "turn", "through_generator", "steps", "burn_c"]),
        ("burn_d", &["work", "turn", "through_exception", "burn_d"]),
        ("burn_e", &["work", "turn", "through_coroutine", "awaited", "burn_e"]),
    ],
    is_its: |_| true,
};

fn check(python: &Interpreter) -> Result<()> {
    let mut command = Command::new(&python.path);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/programs/python/shares.py"));
    let named = WAYS.check(&WAYS.record(command)?).with_context(|| format!("{python:?}"))?;
    println!("{:?}: {:.2} % with their functions", python.version, named * 100.0);
    Ok(())
}

#[test]
fn functions_have_the_shares_that_they_burn_however_they_are_called() -> Result<()> {
    let followed = |python: &Interpreter| ((3, 7)..=(3, 14)).contains(&python.version);
    let (followed, others): (Vec<_>, Vec<_>) = pythons()?.into_iter().partition(followed);
    println!("not followed: {others:?}");
    ensure!(!followed.is_empty(), "no Python is here that is followed");
    others.iter().try_for_each(check_unknown)?;
    followed.iter().try_for_each(check)
}

/// What runs there is one frame, and the native stack is whole.
fn check_unknown(python: &Interpreter) -> Result<()> {
    let mut command = Command::new(&python.path);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/programs/python/shares.py"));
    let observed = WAYS.record(command)?.observed;
    let (major, minor) = python.version;
    let marked = observed.with(&format!("[python {major}.{minor}: not supported]"));
    let (marked, all) = (marked.count(e2e::Stack::is_rooted), observed.samples());
    ensure!(marked * 100 >= all * 97, "{python:?}: {marked} of {all}");
    Ok(())
}
