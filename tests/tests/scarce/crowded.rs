//! Programs of an ordinary user that execute themselves, map and unmap, and map thousands of files, all without end.

use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Result;
use e2e::Launch::{Nobody, Plain, Sparse};
use e2e::{
    Actor, Held, Machine, Meter, Outcome, Recording, Request, Supply, Target, built, resident_mib,
};

use crate::{HZ, Seen, of, start};

/// Processor time of what executes itself: more than 10,000 times.
const EXECS: Duration = Duration::from_secs(4);
/// How much more memory the profiler may take for what executes itself.
const GROWTH_MIB: f64 = 8.0;

struct Scene {
    outcome: Outcome,
    beside: Seen,
    fresh: Seen,
    sparse: Seen,
    stopped: Seen,
    traced: Seen,
}

static SCENE: LazyLock<Result<Scene, String>> =
    LazyLock::new(|| record().map_err(|error| format!("{error:?}")));

fn record() -> Result<Scene> {
    let _machine = Machine::reserve()?;
    let mut beside = start("beside", "simple", Plain)?;
    let crowd = ["exec-loop", "map-storm", "image-flood"];
    let mut crowd =
        crowd.iter().map(|name| start(name, name, Nobody)).collect::<Result<Vec<_>>>()?;
    let mut recording = Recording::start(Request::machine(HZ))?;
    recording.go_on_for(Duration::from_secs(1))?;
    let beside_meter = Meter::start(beside.target.pid())?;
    let work = |actor: &mut Actor| actor.target.release();
    crowd.iter_mut().chain([&mut beside]).try_for_each(work)?;
    recording.go_on_for(Duration::from_secs(5))?;
    let beside_had = beside_meter.read()?;
    crowd.into_iter().chain([beside]).try_for_each(|actor| actor.target.stop())?;

    let after = afterwards(&mut recording)?;
    let outcome = recording.finish()?;
    let [fresh, sparse, stopped, traced] =
        after.map(|(name, supply)| Seen::of(&outcome.folded, name, supply));
    let beside = Seen::of(&outcome.folded, "beside", beside_had);
    Ok(Scene { outcome, beside, fresh, sparse, stopped, traced })
}

/// Programs that were not there before, some of them in odd states.
fn afterwards(recording: &mut Recording) -> Result<[(&'static str, Supply); 4]> {
    let mut fresh = start("fresh", "jumps", Plain)?;
    let mut sparse = start("sparse", "simple", Sparse)?;
    let mut stopped = start("stopped", "simple", Plain)?;
    let mut traced = start("traced", "simple", Plain)?;
    let mut trace = Command::new(built("tracer")?);
    trace.arg(traced.target.pid().to_string());
    let mut onlooker = Target::start(trace)?;
    let meters = [&fresh, &sparse, &stopped, &traced].map(|actor| Meter::start(actor.target.pid()));
    for actor in [&mut fresh, &mut sparse, &mut stopped, &mut traced] {
        actor.target.release()?;
    }
    let held = Held::still(stopped.target.pid())?;
    recording.go_on_for(Duration::from_secs(1))?;
    onlooker.release()?;
    drop(held);
    recording.go_on_for(Duration::from_secs(4))?;
    let names = ["fresh", "sparse", "stopped", "traced"];
    let mut supplies = Vec::new();
    for (name, meter) in names.into_iter().zip(meters) {
        supplies.push((name, meter?.read()?));
    }
    onlooker.leave()?;
    [fresh, sparse, stopped, traced].into_iter().try_for_each(|actor| actor.target.stop())?;
    supplies.try_into().map_err(|_| anyhow::anyhow!("there are four"))
}

/// Resident MiB before and after. Of other programs that run for the first time meanwhile, names and tables would be counted.
fn beside_execs() -> Result<(f64, f64)> {
    let _machine = Machine::reserve()?;
    let mut execs = start("execs", "exec-loop", Nobody)?;
    let pid = execs.target.pid();
    let mut recording = Recording::start(Request { pids: vec![pid], hz: HZ })?;
    recording.go_on_for(Duration::from_secs(1))?;
    let before = resident_mib(recording.pid())?.0;
    let meter = Meter::start(pid)?;
    execs.target.release()?;
    meter.await_cpu(EXECS)?;
    let after = resident_mib(recording.pid())?.0;
    recording.finish()?;
    execs.target.stop()?;
    Ok((before, after))
}

#[test]
fn memory_is_flat_beside_a_program_that_executes_itself_without_end() {
    let (before, after) = beside_execs().unwrap_or_else(|error| panic!("{error:?}"));
    println!("{before:.1} MiB before, {after:.1} after");
    assert!(after - before <= GROWTH_MIB, "{before:.0} MiB before, {after:.0} after");
}

#[test]
fn beside_the_crowd_a_stack_that_says_it_is_whole_has_its_root() {
    let beside = &of(&SCENE).beside;
    beside.assert_seen(&beside.observed, 0.5);
    let whole = beside.observed.with("simple_burn").only(|stack| stack.truncated.is_none());
    let wrong = whole.only(|stack| !stack.has_in_order(&["main", "simple_caller"]));
    assert!(wrong.stacks.is_empty(), "{}", wrong.examples(|_| true));
}

#[test]
fn a_program_that_comes_after_the_crowd_is_whole_and_named() {
    of(&SCENE).fresh.assert_right(&["main", "jump_around", "burn_after_jump"]);
}

#[test]
fn a_program_in_a_file_of_one_tebibyte_is_whole_and_named() {
    of(&SCENE).sparse.assert_right(&["main", "simple_caller", "simple_burn"]);
}

#[test]
fn a_process_that_was_stopped_is_whole_and_named() {
    of(&SCENE).stopped.assert_right(&["main", "simple_caller", "simple_burn"]);
}

#[test]
fn a_process_that_is_traced_is_whole_and_named() {
    of(&SCENE).traced.assert_right(&["main", "simple_caller", "simple_burn"]);
}

#[test]
fn every_sample_is_delivered_or_counted_as_lost() {
    let Outcome { folded, stats, .. } = &of(&SCENE).outcome;
    assert_eq!(stats.samples_taken, folded.total() + stats.lost(), "{:?}", stats.samples_lost);
}
