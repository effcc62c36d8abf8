//! Programs that know what they burned, alone on the machine: is it what the recording says?

use std::sync::LazyLock;

use e2e::{Cast, Ring, SharesRun, chain_error};

const HZ: u32 = 99;
const CONSERVATION: f64 = 0.015;
const ROOTED: f64 = 0.995;
const FEWEST: u64 = 500;
/// 99 % for the twenty shares of four programs together (Bonferroni): at 99 % each, one run in five would fail by chance.
const CONFIDENCE: f64 = 1.0 - 0.01 / 20.0;

type Runs = Result<Vec<SharesRun>, String>;

static C_ALONE: LazyLock<Runs> =
    LazyLock::new(|| run(&[Cast { program: "shares-c", threads: 1, seconds: 30 }]));
static CPP_FOUR_THREADS: LazyLock<Runs> =
    LazyLock::new(|| run(&[Cast { program: "shares-cpp", threads: 4, seconds: 30 }]));
static RUST_AND_GO: LazyLock<Runs> = LazyLock::new(|| {
    run(&["shares-rust", "shares-go"].map(|program| Cast { program, threads: 1, seconds: 25 }))
});

fn run(cast: &[Cast]) -> Runs {
    SharesRun::record(cast, HZ).map_err(|error| format!("{error:?}"))
}

fn only(runs: &'static Runs, index: usize) -> &'static SharesRun {
    match runs {
        Ok(runs) => &runs[index],
        Err(error) => panic!("the scene could not be recorded: {error}"),
    }
}

fn c() -> &'static SharesRun {
    only(&C_ALONE, 0)
}
fn cpp() -> &'static SharesRun {
    only(&CPP_FOUR_THREADS, 0)
}
fn rust() -> &'static SharesRun {
    only(&RUST_AND_GO, 0)
}
fn go() -> &'static SharesRun {
    only(&RUST_AND_GO, 1)
}

fn samples_add_up_to_the_accounted_time(run: &SharesRun) {
    let (sampled, accounted) = (run.sampled_seconds(), run.accounted_ns as f64 / 1e9);
    let stolen = run.stolen_ns as f64 / 1e9;
    let (error, chance) = (run.conservation_error(), run.conservation_chance());
    assert!(
        error.abs() <= CONSERVATION + chance,
        "{sampled:.3} s sampled, {accounted:.3} s accounted and {stolen:.3} s stolen: {:+.2} %",
        error * 100.0
    );
}

fn every_share_is_inside_its_interval(run: &SharesRun) {
    for share in run.shares(CONFIDENCE) {
        assert!(share.total >= FEWEST, "too few samples to judge shares: {}", share.total);
        assert!(share.holds(), "{share:?}");
    }
}

fn stacks_are_rooted(run: &SharesRun) {
    let rooted = run.observed.rooted();
    let reasons = run.observed.truncations();
    assert!(run.observed.samples() >= FEWEST, "too few samples: {}", run.observed.samples());
    assert!(rooted >= ROOTED, "rooted {rooted:.4}; {reasons:?}\n{}", truncated_examples(run));
}

fn truncated_examples(run: &SharesRun) -> String {
    run.observed.examples(|stack| !stack.is_rooted())
}

/// Leaves that burn have all their callers, each once and in order.
fn chains_are_complete(run: &SharesRun, ring: Ring) {
    let burning = run
        .observed
        .only(|stack| stack.is_rooted() && run.truth.cpu_ns.keys().any(|leaf| stack.has(leaf)));
    // What Go's scheduler does for itself, more of it where the machine is busy, is on stacks of its own.
    let own =
        run.observed.only(|stack| !stack.has("runtime.mstart") && !stack.has("runtime.mcall"));
    let (few, all) = (burning.samples(), own.samples());
    let others = || own.examples(|stack| !run.truth.cpu_ns.keys().any(|leaf| stack.has(leaf)));
    assert!(all * 10 >= run.observed.samples() * 9, "{all} of {}", run.observed.samples());
    assert!(few * 100 >= all * 98, "{few} of {all} stacks have a leaf:\n{}", others());
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
