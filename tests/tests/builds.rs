//! Two compilers that build without end: large binaries, many short processes. They are judged; what else runs on the
//! machine is in the recording as well, and reported.

use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Result;
use e2e::{Builds, Machine, Need, Observed, Outcome, Recording, Request, Supply};

const HZ: u32 = 499;
/// The compilers begin with the recording: until the tables of rustc's 150 MB are built, stacks deeper than a copy are cut.
const WORK: Duration = Duration::from_secs(30);
const ROOTED: f64 = 0.99;
const FEWEST: u64 = 1000;

struct Scene {
    outcome: Outcome,
    /// In the order of `Builds::SERVICES`.
    supplies: [Supply; 2],
}

static SCENE: LazyLock<Result<Scene, String>> =
    LazyLock::new(|| record().map_err(|error| format!("{error:?}")));

fn record() -> Result<Scene> {
    let _machine = Machine::reserve()?;
    let mut builds = Builds::start()?;
    let mut recording = Recording::start(Request::machine(HZ))?;
    let meters = builds.meters()?;
    recording.go_on_for(WORK)?;
    recording.interrupt()?;
    builds.check()?;
    let [gcc, rustc] = meters.map(|meter| meter.read());
    let supplies = [gcc?, rustc?];
    drop(builds);
    Ok(Scene { outcome: recording.outcome()?, supplies })
}

#[track_caller]
fn scene() -> &'static Scene {
    match &*SCENE {
        Ok(scene) => scene,
        Err(error) => panic!("the scene could not be recorded: {error}"),
    }
}

fn rooted(observed: &Observed) -> String {
    let examples = observed.examples(|stack| !stack.is_rooted());
    format!("rooted {:.4}; {:?}:\n{examples}", observed.rooted(), observed.truncations())
}

#[test]
fn stacks_of_gcc_and_rustc_are_rooted_while_they_build() {
    let folded = &scene().outcome.folded;
    let compilers = Observed::of(folded, &Builds::SERVICES);
    let others = Observed::everything(folded)
        .only(|stack| !Builds::SERVICES.contains(&stack.service.as_str()));
    println!("{} samples of what else runs: {}", others.samples(), rooted(&others));
    assert!(compilers.rooted() >= ROOTED, "{}", rooted(&compilers));
}

#[test]
fn both_compilers_are_in_the_picture() {
    for (service, supply) in Builds::SERVICES.into_iter().zip(scene().supplies) {
        let seen = Observed::of(&scene().outcome.folded, &[service]).samples();
        let need = Need { samples: FEWEST, part: 1.0, hz: HZ };
        if let Some(shortage) = supply.shortage(seen, need) {
            panic!("{service}: {shortage}");
        }
    }
}

#[test]
fn every_sample_is_delivered_or_counted_as_lost() {
    let Outcome { folded, stats, .. } = &scene().outcome;
    assert_eq!(stats.samples_taken, folded.total() + stats.lost(), "{:?}", stats.samples_lost);
}
