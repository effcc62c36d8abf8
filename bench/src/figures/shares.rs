//! Known shares, and the rooted stacks of the same programs.

use anyhow::{Context, Result};
use e2e::{Cast, SharesRun};

use crate::report::Row;

const HZ: u32 = 99;
const CONFIDENCE: f64 = 0.99;
const ROOTED: f64 = 0.995;

pub(crate) fn measure() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for program in ["shares-c", "shares-cpp", "shares-rust", "shares-go"] {
        let cast = Cast { program, threads: 1, seconds: 30 };
        let run = SharesRun::record(&[cast], HZ)?.pop().context("one program gives one run")?;
        rows.extend([shares(program, &run), rooted(program, &run)]);
    }
    Ok(rows)
}

fn shares(program: &str, run: &SharesRun) -> Row {
    let shares = run.shares(CONFIDENCE);
    let inside = shares.iter().filter(|share| share.holds()).count();
    let each: Vec<String> = shares
        .iter()
        .map(|share| {
            let seen = share.seen as f64 / share.total.max(1) as f64;
            format!("{:.1}/{:.1}", seen * 100.0, share.truth * 100.0)
        })
        .collect();
    let measured = format!("{inside} of {} inside; seen/true %: {}", shares.len(), each.join(" "));
    Row::new(format!("shares, {program}"), measured)
        .against("all in the 99 % interval", inside == shares.len())
}

fn rooted(program: &str, run: &SharesRun) -> Row {
    let rooted = run.observed.rooted();
    let measured = format!("{:.2} % of {} samples", rooted * 100.0, run.observed.samples());
    Row::new(format!("rooted, {program}"), measured).against("≥ 99.5 %", rooted >= ROOTED)
}
