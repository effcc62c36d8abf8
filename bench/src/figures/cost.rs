//! What a busy machine loses: the load occupies every processor, so that whatever Infrared does is taken from it.
//!
//! It has two parts. What sampling takes (interrupts, the kernel side, what they leave of the caches) shows in the load's
//! throughput, with the sampler's events on and off in short turns while the process runs on; what the process takes is
//! accounted for by the kernel. Switching the process too would need long turns, which neighbours drown: it works but once
//! in a window.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::{Machine, Up};

use crate::load::{CpuLoad, wait};
use crate::paired::loss;
use crate::report::Row;
use crate::switch::Switch;

const PAIRS: usize = 3000;
/// Of each half of a pair. An event that is switched on again goes on with what was left of its period.
const HALF: Duration = Duration::from_millis(50);
/// Start-up, table loading and the short first windows are not what a running agent costs.
const WARM_UP: Duration = Duration::from_secs(30);
/// For the process's own time, sampling throughout: a dozen windows.
const OWN_TIME: Duration = Duration::from_mins(2);
const PROGRESS: usize = 1000;

pub(crate) fn measure() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let load = CpuLoad::start()?;
    let up = Up::start()?;
    wait(WARM_UP);
    let own = own_share(&up)?;
    let switch = Switch::of(up.pid())?;
    let mut pairs = Vec::new();
    for pair in 0..PAIRS {
        // ABBA: a drift of the machine hits both sides alike.
        let is_off_first = pair % 2 == 0;
        let first = half(&load, &switch, !is_off_first)?;
        let second = half(&load, &switch, is_off_first)?;
        pairs.push(if is_off_first { (first, second) } else { (second, first) });
        if (pair + 1) % PROGRESS == 0 {
            let so_far = loss(&pairs).context("there are pairs")?;
            eprintln!("  {} pairs: {:.2} %", pairs.len(), so_far.mean * 100.0);
        }
    }
    let sampling = loss(&pairs).context("there are pairs")?;
    let percent = |share: f64| format!("{:.2}", share * 100.0);
    let interval = format!(
        "95 %: {} to {}; {PAIRS} pairs of {} ms",
        percent(sampling.low + own),
        percent(sampling.high + own),
        HALF.as_millis()
    );
    let total = sampling.mean + own;
    Ok(vec![
        Row::new(
            "throughput lost at 99 Hz, all processors busy",
            format!("{} % ({interval})", percent(total)),
        )
        .against("≤ 0.7 %", total <= 0.007),
        Row::new("of that, sampling", format!("{} %", percent(sampling.mean))),
        Row::new(
            "of that, CPU time of the infrared process (agent, server, store)",
            format!("{} %", percent(own)),
        ),
    ])
}

/// The process's CPU time, as a share of all processors.
fn own_share(up: &Up) -> Result<f64> {
    Ok(up.cpu_share(OWN_TIME)? / std::thread::available_parallelism()?.get() as f64)
}

/// The load's throughput while Infrared samples, or does not.
fn half(load: &CpuLoad, switch: &Switch, is_on: bool) -> Result<f64> {
    if is_on {
        switch.on()?;
    } else {
        switch.off()?;
    }
    Ok(load.throughput(HALF))
}
