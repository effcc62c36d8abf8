//! What a start costs beside a process with very many libraries, and when its first whole stack is there.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::{Machine, Recording, Request, Target, built, process_cpu_ns};

use crate::load::wait;
use crate::profile_json::{Frame, Profile, Sample};
use crate::report::Row;
use crate::strangers::strangers;

/// Of 11 MB each.
const LIBRARIES: usize = 140;
/// Quiet is a second with less processor time than this.
const QUIET: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn measure() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let (dir, libraries) = strangers("liblarge.so", LIBRARIES)?;
    let mut command = Command::new(built("many-libraries")?);
    command.args(&libraries);
    let mut target = Target::start(command)?;
    target.release()?;
    let output = dir.path().join("profile.json");
    let request = Request { pids: vec![target.pid()], hz: 99 };
    let mut recording = Recording::start_as(request, "json", &output)?;
    let cpu_s = until_quiet(&mut recording)?;
    recording.interrupt()?;
    recording.ended()?;
    target.stop()?;
    let profile = Profile::read(&output)?;
    let first_ms = first_whole_ms(&profile).context("no stack was whole")?;
    let what = format!("beside a process with {LIBRARIES} libraries of 11 MB");
    Ok(vec![
        Row::new(format!("CPU until quiet, {what}"), format!("{cpu_s:.2} s"))
            .against("≤ 0.3 s", cpu_s <= 0.3),
        Row::new(format!("first whole stack, {what}"), format!("{first_ms:.0} ms"))
            .against("≤ 150 ms", first_ms <= 150.0),
    ])
}

/// Processor time of the recording process, from its start, in seconds.
fn until_quiet(recording: &mut Recording) -> Result<f64> {
    let begun = Instant::now();
    let mut before_ns = 0;
    loop {
        let now_ns = process_cpu_ns(recording.pid())?;
        if now_ns - before_ns < QUIET.as_nanos() as u64 || begun.elapsed() > PATIENCE {
            return Ok(now_ns as f64 / 1e9);
        }
        before_ns = now_ns;
        wait(Duration::from_secs(1));
    }
}

/// From the first sample to the first that goes through a library and is whole.
fn first_whole_ms(profile: &Profile) -> Option<f64> {
    let is_whole = |sample: &Sample| {
        let is_through = |frame: &Frame| frame.name == "through_library";
        profile.frames_of(sample).any(is_through)
            && profile.frames_of(sample).all(|frame| frame.kind != "truncated")
    };
    let first = |which: &dyn Fn(&Sample) -> bool| {
        let samples = profile.samples.iter().filter(|sample| which(sample));
        samples.filter_map(|sample| sample.timestamps_unix_ns.first().copied()).min()
    };
    Some((first(&is_whole)? - first(&|_| true)?) as f64 / 1e6)
}
