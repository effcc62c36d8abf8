//! Programs in a file system that a process serves (FUSE): to one user alone, and without answering.

use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::Launch::{Plain, Served, ServedToAll};
use e2e::{Machine, Meter, Recording, Request, Up, silence};

use crate::{HZ, Seen, WHOLE, of, service, start};

/// Processor time in which the silent one is sampled, asked for, and given up.
const IN_VAIN: Duration = Duration::from_secs(3);
/// Until a sample is on the page, which has a window of ten seconds at a time.
const SEEN: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_secs(10);

struct Scene {
    served: Seen,
    losses: std::collections::BTreeMap<String, u64>,
}

static SCENE: LazyLock<Result<Scene, String>> =
    LazyLock::new(|| record().map_err(|error| format!("{error:?}")));

/// A program whose tables nobody has read when it is first sampled.
fn record() -> Result<Scene> {
    let _machine = Machine::reserve()?;
    let mut served = start("served", "simple-unread", Served)?;
    let pid = served.target.pid();
    let meter = Meter::start(pid)?;
    let mut recording = Recording::start(Request { pids: vec![pid], hz: HZ })?;
    served.target.release()?;
    recording.go_on_for(Duration::from_secs(4))?;
    let supply = meter.read()?;
    let outcome = recording.finish()?;
    served.target.stop()?;
    let served = Seen::of(&outcome.folded, "served", supply);
    Ok(Scene { served, losses: outcome.stats.losses })
}

#[test]
fn a_program_that_root_cannot_read_is_whole_and_named() {
    let Scene { served, losses } = of(&SCENE);
    // Who serves the file has so long to answer. Where all wait for a processor it is late, and that is told.
    if losses.contains_key("unanswered_files") {
        println!("starved of names: {losses:?}");
        served.assert_seen(&served.observed, 0.5);
        assert!(served.observed.rooted() >= WHOLE, "{:?}", served.observed.truncations());
        return;
    }
    for loss in ["uncopied_files", "unread_names"] {
        assert_eq!(losses.get(loss), None, "{losses:?}");
    }
    served.assert_right(&["main", "simple_caller", "simple_burn"]);
}

#[test]
fn a_server_that_answers_nothing_holds_up_nothing() {
    in_silence().unwrap_or_else(|error| panic!("{error:?}"));
}

fn in_silence() -> Result<()> {
    let _machine = Machine::reserve()?;
    let up = Up::start_at(HZ)?;
    let mut silent = start("silent", "simple-unread", ServedToAll)?;
    silence(silent.target.pid())?;
    let meter = Meter::start(silent.target.pid())?;
    silent.target.release()?;
    meter.await_cpu(IN_VAIN)?;

    let mut beside = start("beside-silent", "simple", Plain)?;
    beside.target.release()?;
    let seen = up
        .await_stack(&service("beside-silent"), SEEN, |stack| stack.has("simple_burn"))
        .context("what came after the silence is not named");
    let (status, health) = up.get("/healthz")?;
    ensure!(status == 200, "beside a silent server it is not well: {health}");
    seen?;
    up.await_stack(&service("silent"), SEEN, |stack| stack.truncated.is_some())?;
    let (_, metrics) = up.get("/metrics")?;
    let lost = metrics.lines().find(|line| line.contains("lost_unanswered_files_total "));
    ensure!(lost.is_some_and(|line| !line.ends_with(" 0")), "not counted: {lost:?}");
    beside.target.stop()?;
    up.terminate(END)?;
    silent.target.stop()
}
