//! Samples ÷ Hz against the CPU time that the kernel accounted. What a hypervisor stole is shown beside it, and is no
//! error of ours: nobody is accounted for that time, while timers go on.

use anyhow::{Context, Result};
use e2e::{Cast, SharesRun};

use crate::report::Row;

const HZ: u32 = 99;
const BAR: f64 = 0.015;

pub(crate) fn measure() -> Result<Vec<Row>> {
    [1, 4]
        .into_iter()
        .map(|threads| row(Cast { program: "shares-c", threads, seconds: 30 }))
        .collect()
}

fn row(cast: Cast) -> Result<Row> {
    let run = SharesRun::record(&[cast], HZ)?.pop().context("one program gives one run")?;
    let error = run.conservation_error();
    let what = format!("conservation, {} thread(s), {} s at {HZ} Hz", cast.threads, cast.seconds);
    let measured = format!(
        "{:+.2} % ({:.2} s sampled, {:.2} s accounted, {:.2} s stolen by the hypervisor)",
        (run.sampled_seconds() / (run.accounted_ns as f64 / 1e9) - 1.0) * 100.0,
        run.sampled_seconds(),
        run.accounted_ns as f64 / 1e9,
        run.stolen_ns as f64 / 1e9
    );
    Ok(Row::new(what, measured).against("within 1.5 %", error.abs() <= BAR))
}
