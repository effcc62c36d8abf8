//! How many stacks reach their thread's entry: servers under load, and everything while compilers run.

use std::time::Duration;

use anyhow::Result;
use e2e::{Builds, Machine, Observed, Recording, Request, ServerKind};

use crate::report::Row;

const HZ: u32 = 99;
const SERVER_TIME: Duration = Duration::from_secs(15);
const BUILD_TIME: Duration = Duration::from_secs(30);

pub(crate) fn servers() -> Result<Vec<Row>> {
    ServerKind::ALL.into_iter().map(server).collect()
}

fn server(kind: ServerKind) -> Result<Row> {
    let _machine = Machine::reserve()?;
    let server = kind.start()?;
    let mut load = server.load()?;
    let mut recording = Recording::start(Request::machine(HZ))?;
    recording.go_on_for(SERVER_TIME)?;
    load.check()?;
    let outcome = recording.finish()?;
    let observed = Observed::of(&outcome.folded, server.services());
    let holds = observed.rooted() >= 0.995 && observed.samples() > 0;
    Ok(row(&format!("{kind:?} under load"), &observed).against("≥ 99.5 %", holds))
}

pub(crate) fn machine() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let mut builds = Builds::start()?;
    let mut recording = Recording::start(Request::machine(HZ))?;
    recording.go_on_for(BUILD_TIME)?;
    builds.check()?;
    let outcome = recording.finish()?;
    let observed = Observed::everything(&outcome.folded);
    let holds = observed.rooted() >= 0.99;
    Ok(vec![row("whole machine, gcc and rustc builds", &observed).against("≥ 99 %", holds)])
}

fn row(what: &str, observed: &Observed) -> Row {
    let reasons: Vec<String> = observed
        .truncations()
        .iter()
        .take(3)
        .map(|(reason, count)| format!("{reason}: {count}"))
        .collect();
    let rooted = observed.rooted() * 100.0;
    let measured =
        format!("{rooted:.2} % of {} samples {}", observed.samples(), reasons.join(", "));
    Row::new(format!("rooted, {what}"), measured)
}
