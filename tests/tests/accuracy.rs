//! Programs that know what they burned, alone on the machine: is it what the recording says?

use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Result;
use e2e::{
    Machine, Observed, Outcome, Recording, Request, Ring, Target, Truth, binomial_interval, built,
    chain_error, process_cpu_ns,
};

const HZ: u32 = 99;
const CONSERVATION: f64 = 0.015;
const ROOTED: f64 = 0.995;
const CONFIDENCE: f64 = 0.99;

/// A shares program's run.
struct Run {
    observed: Observed,
    truth: Truth,
    accounted_ns: u64,
}

struct Cast {
    program: &'static str,
    threads: u32,
    seconds: u32,
}

type Runs = Result<Vec<Run>, String>;

static C_ALONE: LazyLock<Runs> =
    LazyLock::new(|| run(&[Cast { program: "shares-c", threads: 1, seconds: 30 }]));
static CPP_FOUR_THREADS: LazyLock<Runs> =
    LazyLock::new(|| run(&[Cast { program: "shares-cpp", threads: 4, seconds: 30 }]));
static RUST_AND_GO: LazyLock<Runs> = LazyLock::new(|| {
    run(&["shares-rust", "shares-go"].map(|program| Cast { program, threads: 1, seconds: 25 }))
});

fn run(cast: &[Cast]) -> Runs {
    record(cast).map_err(|error| format!("{error:?}"))
}

/// All of the work lies inside the recording, so that its edges cut nothing off.
fn record(cast: &[Cast]) -> Result<Vec<Run>> {
    let _machine = Machine::reserve()?;
    let mut targets = Vec::new();
    for Cast { program, threads, seconds } in cast {
        let mut command = Command::new(built(program)?);
        command.env("OTEL_SERVICE_NAME", format!("e2e-{program}"));
        command.args(["--threads", &threads.to_string(), "--seconds", &seconds.to_string()]);
        targets.push(Target::start(command)?);
    }
    let before = accounted(&targets)?;
    let pids = targets.iter().map(Target::pid).collect();
    let recording = Recording::start(Request { pids, hz: HZ })?;
    targets.iter_mut().try_for_each(Target::release)?;
    let mut truths = Vec::new();
    for (target, cast) in targets.iter_mut().zip(cast) {
        truths.push(target.truth(Duration::from_secs(cast.seconds.into()))?);
    }
    let after = accounted(&targets)?;
    let Outcome { folded, .. } = recording.finish()?;
    targets.into_iter().try_for_each(Target::leave)?;
    let observed = cast
        .iter()
        .map(|cast| Observed::of(&folded, &[&format!("e2e-{}", cast.program), cast.program]));
    let accounted = after.iter().zip(before).map(|(after, before)| after - before);
    let runs = observed.zip(truths).zip(accounted);
    Ok(runs
        .map(|((observed, truth), accounted_ns)| Run { observed, truth, accounted_ns })
        .collect())
}

fn accounted(targets: &[Target]) -> Result<Vec<u64>> {
    targets.iter().map(|target| process_cpu_ns(target.pid())).collect()
}

fn only(runs: &'static Runs, index: usize) -> &'static Run {
    match runs {
        Ok(runs) => &runs[index],
        Err(error) => panic!("the scene could not be recorded: {error}"),
    }
}

fn c() -> &'static Run {
    only(&C_ALONE, 0)
}
fn cpp() -> &'static Run {
    only(&CPP_FOUR_THREADS, 0)
}
fn rust() -> &'static Run {
    only(&RUST_AND_GO, 0)
}
fn go() -> &'static Run {
    only(&RUST_AND_GO, 1)
}

fn samples_add_up_to_the_accounted_time(run: &Run) {
    let sampled = run.observed.samples() as f64 / f64::from(HZ);
    let accounted = run.accounted_ns as f64 / 1e9;
    let error = sampled / accounted - 1.0;
    assert!(
        error.abs() <= CONSERVATION,
        "{sampled:.3} s sampled, {accounted:.3} s accounted: {:+.2} %",
        error * 100.0
    );
}

fn every_share_is_inside_its_interval(run: &Run) {
    let leaves: Vec<(&str, f64)> = run.truth.shares().collect();
    let seen: Vec<u64> = leaves.iter().map(|(leaf, _)| run.observed.with(leaf).samples()).collect();
    let total: u64 = seen.iter().sum();
    assert!(total >= 1000, "too few samples to judge shares: {total}");
    for ((leaf, share), seen) in leaves.iter().zip(seen) {
        let interval = binomial_interval(seen, total, CONFIDENCE);
        assert!(
            interval.contains(*share),
            "{leaf} burned {share:.4}, was seen {seen}/{total}: {interval:?}"
        );
    }
}

fn stacks_are_rooted(run: &Run) {
    let rooted = run.observed.rooted();
    let reasons = run.observed.truncations();
    assert!(run.observed.samples() >= 1000, "too few samples: {}", run.observed.samples());
    assert!(rooted >= ROOTED, "rooted {rooted:.4}; {reasons:?}\n{}", truncated_examples(run));
}

fn truncated_examples(run: &Run) -> String {
    run.observed.examples(|stack| stack.truncated.is_some())
}

/// Leaves that burn have all their callers, each once and in order.
fn chains_are_complete(run: &Run, ring: Ring) {
    let burning = run.observed.only(|stack| {
        stack.truncated.is_none() && run.truth.cpu_ns.keys().any(|leaf| stack.has(leaf))
    });
    assert!(burning.samples() * 100 >= run.observed.samples() * 98, "few stacks have a leaf");
    for stack in &burning.stacks {
        let error = chain_error(stack, ring);
        assert!(error.is_none(), "{}:\n{stack}", error.unwrap_or_default());
    }
    let depths = burning.stacks.iter().map(|stack| stack.frames.len());
    assert!(depths.max().is_some_and(|deepest| deepest >= 55), "no deep chain was seen");
}

#[test]
fn one_thread_is_conserved() {
    samples_add_up_to_the_accounted_time(c());
}

#[test]
fn four_threads_are_conserved() {
    samples_add_up_to_the_accounted_time(cpp());
}

macro_rules! languages {
    ($($language:ident: $ring:expr;)*) => {$(
        mod $language {
            use super::*;

            #[test]
            fn shares_are_right() {
                every_share_is_inside_its_interval(super::$language());
            }

            #[test]
            fn stacks_reach_their_entry() {
                stacks_are_rooted(super::$language());
            }

            #[test]
            fn chains_of_callers_are_complete() {
                chains_are_complete(super::$language(), $ring);
            }
        }
    )*};
}

languages! {
    c: Ring { prefix: "hop_", length: 10 };
    cpp: Ring { prefix: "hop<", length: 10 };
    rust: Ring { prefix: "hop_", length: 10 };
    go: Ring { prefix: "hop_", length: 3 };
}
