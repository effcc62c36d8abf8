//! The whole machine while compilers run: large binaries, many short processes, everything else that happens to run.

use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Result;
use e2e::{Builds, Machine, Observed, Outcome, Recording, Request};

const HZ: u32 = 499;
/// The compilers begin with the recording: until the tables of rustc's 150 MB are built, stacks deeper than a copy are cut.
const WORK: Duration = Duration::from_secs(30);
const ROOTED: f64 = 0.99;

static SCENE: LazyLock<Result<Outcome, String>> =
    LazyLock::new(|| record().map_err(|error| format!("{error:?}")));

fn record() -> Result<Outcome> {
    let _machine = Machine::reserve()?;
    let mut builds = Builds::start()?;
    let mut recording = Recording::start(Request::machine(HZ))?;
    recording.go_on_for(WORK)?;
    recording.interrupt()?;
    builds.check()?;
    drop(builds);
    recording.outcome()
}

#[track_caller]
fn outcome() -> &'static Outcome {
    match &*SCENE {
        Ok(outcome) => outcome,
        Err(error) => panic!("the scene could not be recorded: {error}"),
    }
}

#[test]
fn stacks_of_the_whole_machine_are_rooted_while_gcc_and_rustc_build() {
    let machine = Observed::everything(&outcome().folded);
    assert!(machine.samples() >= 5000, "only {} samples", machine.samples());
    let examples = machine.examples(|stack| stack.truncated.is_some());
    let (rooted, reasons) = (machine.rooted(), machine.truncations());
    assert!(rooted >= ROOTED, "rooted {rooted:.4}; {reasons:?}:\n{examples}");
}

#[test]
fn both_compilers_are_in_the_picture() {
    for service in ["e2e-gcc", "e2e-rustc"] {
        let seen = Observed::of(&outcome().folded, &[service]).samples();
        assert!(seen >= 1000, "{service}: only {seen} samples");
    }
}

#[test]
fn every_sample_is_delivered_or_counted_as_lost() {
    let Outcome { folded, stats, .. } = outcome();
    assert_eq!(stats.samples_taken, folded.total() + stats.lost(), "{:?}", stats.samples_lost);
}
