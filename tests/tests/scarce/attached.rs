//! A recording of chosen processes that ran before it began, none of which is what it seems; and in its midst so many
//! events of others that those of the chosen are lost.

use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::Launch::{NobodyOn, Plain};
use e2e::{
    Actor, Held, Machine, Meter, Observed, Outcome, Recording, Request, Supply, Target,
    await_state, built,
};

use crate::{HZ, Seen, need, of, service, start};

/// Processor time in which a storm fills what is kept of events many times over.
const STORM: Duration = Duration::from_millis(300);
/// Samples of one process that may be completed outside the kernel until what is known of it is settled.
const SETTLED: u64 = 100;

struct Scene {
    outcome: Outcome,
    leaderless: Seen,
    moved: Seen,
    rootless: Seen,
    steady: Seen,
    /// From the moment at which the one program gave way to the other.
    successor: Supply,
}

static SCENE: LazyLock<Result<Scene, String>> =
    LazyLock::new(|| record().map_err(|error| format!("{error:?}")));

fn record() -> Result<Scene> {
    let _machine = Machine::reserve()?;
    let cast = [
        ("leaderless", "dead-leader"),
        ("moved", "moved-text"),
        ("rootless", "false-root"),
        ("steady", "simple"),
    ];
    let actor = |(name, program): (&str, &str)| start(name, program, Plain);
    let mut actors = cast.into_iter().map(actor).collect::<Result<Vec<Actor>>>()?;
    // By its executable's name: the environment, which it hands on, says nothing.
    let mut command = Command::new(built("successor")?);
    let mut successor = Target::start({
        command.arg(built("inlined")?);
        command
    })?;
    let storms = (0..processors()?).map(|cpu| start("storm", "map-storm", NobodyOn(cpu)));
    let storms = storms.collect::<Result<Vec<Actor>>>()?;
    actors.iter_mut().try_for_each(|actor| actor.target.release())?;
    successor.release()?;
    await_state(actors.first().context("the cast is not empty")?.target.pid(), 'Z')?;

    let pids: Vec<u32> = actors.iter().map(|actor| actor.target.pid()).collect();
    let meters = pids.iter().map(|&pid| Meter::start(pid)).collect::<Result<Vec<_>>>()?;
    let chosen = pids.into_iter().chain([successor.pid()]).collect();
    let mut recording = Recording::start(Request { pids: chosen, hz: HZ })?;
    recording.go_on_for(Duration::from_secs(2))?;
    let since = lose_events(&recording, storms, &mut successor)?;
    recording.go_on_for(Duration::from_secs(6))?;

    let supplies = meters.iter().map(Meter::read).collect::<Result<Vec<_>>>()?;
    let successor_had = since.read()?;
    let outcome = recording.finish()?;
    actors.into_iter().try_for_each(|actor| actor.target.stop())?;
    successor.stop()?;
    let seen = cast.iter().zip(supplies);
    let seen = seen.map(|((name, _), supply)| Seen::of(&outcome.folded, name, supply));
    let seen: [Seen; 4] = seen.collect::<Vec<_>>().try_into().ok().context("there are four")?;
    let [leaderless, moved, rootless, steady] = seen;
    Ok(Scene { outcome, leaderless, moved, rootless, steady, successor: successor_had })
}

/// The profiler is held still until its rings of events are full; then one of the chosen executes another program.
fn lose_events(
    recording: &Recording,
    mut storms: Vec<Actor>,
    successor: &mut Target,
) -> Result<Meter> {
    let _held = Held::still(recording.pid())?;
    let pids = storms.iter().map(|storm| Meter::start(storm.target.pid()));
    let meters = pids.collect::<Result<Vec<_>>>()?;
    storms.iter_mut().try_for_each(|storm| storm.target.release())?;
    meters.iter().try_for_each(|meter| meter.await_cpu(STORM))?;
    successor.give_way()?;
    let since = Meter::start(successor.pid())?;
    successor.release()?;
    storms.into_iter().try_for_each(|storm| storm.target.stop())?;
    Ok(since)
}

fn processors() -> Result<u32> {
    Ok(u32::try_from(std::thread::available_parallelism()?.get())?)
}

#[test]
fn a_process_whose_main_thread_has_ended_is_whole_and_named() {
    of(&SCENE).leaderless.assert_right(&["survivor", "survivor_burn"]);
}

#[test]
fn code_that_was_moved_to_memory_before_is_whole_and_named() {
    of(&SCENE).moved.assert_right(&["main", "moved_caller", "moved_burn"]);
}

#[test]
fn a_return_address_that_leads_nowhere_is_settled() {
    let Scene { outcome, rootless, .. } = of(&SCENE);
    rootless.assert_seen(&rootless.observed, 0.8);
    let deferred = outcome.stats.deferred;
    assert!(deferred <= SETTLED, "{deferred} of {} samples", outcome.stats.samples_taken);
}

#[test]
fn a_stack_that_ends_nowhere_does_not_say_that_it_is_whole() {
    let those = of(&SCENE).rootless.observed.with("burn_on_nothing");
    let whole = those.only(|stack| stack.truncated.is_none());
    assert!(those.samples() > 0 && whole.stacks.is_empty(), "{}", whole.examples(|_| true));
}

#[test]
fn events_that_were_lost_are_counted() {
    let losses = &of(&SCENE).outcome.stats.losses;
    assert!(losses.get("process_events").is_some_and(|&lost| lost > 0), "{losses:?}");
}

#[test]
fn a_chosen_process_is_recorded_on_after_events_were_lost() {
    let steady = &of(&SCENE).steady;
    steady.assert_right(&["main", "simple_caller", "simple_burn"]);
    let (seen, had) = (steady.observed.samples() as f64 / f64::from(HZ), steady.supply.cpu);
    assert!(seen >= 0.8 * had.as_secs_f64(), "{seen:.2} s sampled of {had:?}");
}

#[test]
fn a_program_whose_exec_was_lost_has_its_own_service() {
    let Scene { outcome, successor, .. } = of(&SCENE);
    let before = Observed::of(&outcome.folded, &["successor"]).with("real_function");
    assert!(before.stacks.is_empty(), "under the old name:\n{}", before.examples(|_| true));
    let after = Observed::of(&outcome.folded, &["inlined"]).with("real_function");
    if let Some(shortage) = successor.shortage(after.samples(), need(0.5)) {
        panic!("{shortage}; {} has others", service("successor"));
    }
}

#[test]
fn every_sample_is_delivered_or_counted_as_lost() {
    let Outcome { folded, stats, .. } = &of(&SCENE).outcome;
    assert_eq!(stats.samples_taken, folded.total() + stats.lost(), "{:?}", stats.samples_lost);
}
