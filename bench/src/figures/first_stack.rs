//! How long a new program stays unknown: executables that the machine has never seen, each with a build id of its own.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use e2e::{Machine, Recording, Request};

use crate::paired::quantile;
use crate::profile_json::Profile;
use crate::report::Row;
use crate::strangers::strangers;

const PROGRAMS: usize = 40;
/// CPU time of each, milliseconds.
const LIFE_MS: &str = "300";

pub(crate) fn measure() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let (dir, programs) = strangers("brief", PROGRAMS)?;
    let output = dir.path().join("profile.json");
    let mut recording = Recording::start_as(Request::machine(99), "json", &output)?;
    for program in &programs {
        let status = Command::new(program).arg(LIFE_MS).stdin(Stdio::null()).status()?;
        ensure!(status.success(), "{} ended with {status}", program.display());
    }
    recording.interrupt()?;
    recording.ended()?;
    let profile = Profile::read(&output)?;
    let latencies = latencies(&profile);
    let seen = latencies.len();
    let never = latencies.values().filter(|latency| latency.is_none()).count();
    let known: Vec<f64> = latencies.into_values().map(|ms| ms.unwrap_or(f64::INFINITY)).collect();
    let p95 = quantile(known, 0.95).context("no new process was seen")?;
    let measured = format!("p95 {p95:.0} ms ({seen} of {PROGRAMS} programs, {never} never whole)");
    Ok(vec![
        Row::new("first whole, named stack after the first sample", measured)
            .against("≤ 100 ms", p95 <= 100.0 && seen * 10 >= PROGRAMS * 9),
    ])
}

/// Per process of ours: milliseconds from its first sample to the first that is whole and named, if there is one.
fn latencies(profile: &Profile) -> BTreeMap<&str, Option<f64>> {
    let mut times: BTreeMap<&str, (u64, Option<u64>)> = BTreeMap::new();
    for sample in &profile.samples {
        let label = |name| profile.label(sample, name);
        let (Some(pid), Some(&first)) = (label("process.pid"), sample.timestamps_unix_ns.first())
        else {
            continue;
        };
        if !label("process.executable.name").is_some_and(|name| name.starts_with("stranger-")) {
            continue;
        }
        let named = profile.frames_of(sample).any(|frame| frame.name.contains("brief_burn"));
        let whole = profile.frames_of(sample).all(|frame| frame.kind != "truncated");
        let (earliest, complete) = times.entry(pid).or_insert((first, None));
        *earliest = first.min(*earliest);
        if named && whole {
            *complete = Some(complete.map_or(first, |other| other.min(first)));
        }
    }
    let latency = |(first, complete): (u64, Option<u64>)| {
        complete.map(|complete| complete.saturating_sub(first) as f64 / 1e6)
    };
    times.into_iter().map(|(pid, times)| (pid, latency(times))).collect()
}
