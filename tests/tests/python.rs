//! Python's functions in stacks: every version that is here, by programs that know what they did.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Interpreter, Machine, Observed, Outcome, Recording, Request, Target, Truth, binomial_interval,
    pythons,
};

const HZ: u32 = 499;
const SECONDS: u32 = 4;
/// Of all the shares of all versions, one in some hundred test runs may be outside.
const CONFIDENCE: f64 = 0.9999;
const SERVICE: &str = "shares.py";

/// From the thread's entry to the leaf, what each stack of a leaf goes through.
const WAYS: [(&str, &[&str]); 5] = [
    ("burn_a", &["work", "turn", "through_recursion", "deep", "deep", "burn_a"]),
    ("burn_b", &["work", "turn", "through_callback", "<lambda>", "burn_b"]),
    ("burn_c", &["work", "turn", "through_generator", "steps", "burn_c"]),
    ("burn_d", &["work", "turn", "through_exception", "burn_d"]),
    ("burn_e", &["work", "turn", "through_coroutine", "awaited", "burn_e"]),
];

fn record(python: &Interpreter) -> Result<(Observed, Truth)> {
    let _machine = Machine::reserve()?;
    let mut command = Command::new(&python.path);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/programs/python/shares.py"));
    command.args(["--seconds", &SECONDS.to_string()]);
    let mut target = Target::start(command)?;
    let recording = Recording::start(Request { pids: vec![target.pid()], hz: HZ })?;
    target.release()?;
    let truth = target.truth(Duration::from_secs(SECONDS.into()))?;
    let Outcome { folded, .. } = recording.finish()?;
    target.leave()?;
    Ok((Observed::of(&folded, &[SERVICE]), truth))
}

/// The name as its author wrote it: since 3.11 it is qualified.
fn plain(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Whether the functions come in this order, others between them.
fn goes_through(stack: &e2e::Stack, ways: &[&str]) -> bool {
    let mut left = ways.iter().peekable();
    for frame in &stack.frames {
        left.next_if(|way| plain(&frame.0) == **way);
    }
    left.peek().is_none()
}

fn is_below(stack: &e2e::Stack, function: &str) -> bool {
    stack.frames.iter().any(|frame| plain(&frame.0) == function)
}

/// Samples that may be without their functions: those of the first tenth of a second, as long as the process is not known, and a few.
fn missing(samples: u64) -> u64 {
    u64::from(HZ) / 10 + samples / 200
}

fn check(python: &Interpreter) -> Result<()> {
    let (observed, truth) = record(python)?;
    let all = observed.only(|stack| is_below(stack, "work"));
    let burnt =
        all.only(|stack| stack.frames.iter().any(|frame| plain(&frame.0).starts_with("burn_")));
    let (samples, total) = (observed.samples(), burnt.samples());
    ensure!(samples > 200, "{python:?}: {samples} samples: starved");
    let named = all.samples() as f64 / samples as f64;
    let strays = observed.examples(|stack| !is_below(stack, "work"));
    ensure!(samples - all.samples() <= missing(samples), "{python:?}: {named}:\n{strays}");
    let rooted = observed.count(e2e::Stack::is_rooted);
    ensure!(samples - rooted <= missing(samples), "{python:?}: {:?}", observed.truncations());
    for (leaf, share) in truth.shares() {
        let of_leaf = burnt.only(|stack| stack.frames.iter().any(|frame| plain(&frame.0) == leaf));
        let seen = of_leaf.samples();
        let interval = binomial_interval(seen, total, CONFIDENCE);
        ensure!(interval.contains(share), "{python:?} {leaf}: {share} outside {interval:?}");
        let (_, ways) = WAYS.iter().find(|(name, _)| *name == leaf).unwrap_or(&WAYS[0]);
        let strays = of_leaf.examples(|stack| !goes_through(stack, ways));
        ensure!(strays.is_empty(), "{python:?} {leaf}: not through {ways:?}:\n{strays}");
    }
    println!(
        "{:?}: {samples} samples, {:.2} % with their functions",
        python.version,
        named * 100.0
    );
    Ok(())
}

#[test]
fn functions_have_the_shares_that_they_burn_however_they_are_called() -> Result<()> {
    let followed = |python: &Interpreter| ((3, 7)..=(3, 14)).contains(&python.version);
    let (followed, others): (Vec<_>, Vec<_>) = pythons()?.into_iter().partition(followed);
    println!("not followed: {others:?}");
    ensure!(!followed.is_empty(), "no Python is here that is followed");
    followed.iter().try_for_each(check)
}
