//! What a busy machine loses: the load occupies every processor, so that whatever Infrared does, in interrupts, in the
//! kernel, in its own process, is taken from it.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::{Machine, Up};

use crate::load::{CpuLoad, wait};
use crate::paired::loss;
use crate::report::Row;
use crate::switch::Switch;

const PAIRS: usize = 960;
/// Of each half of a pair.
const HALF: Duration = Duration::from_millis(250);
/// Start-up, table loading and the short first windows are not what a running agent costs.
const WARM_UP: Duration = Duration::from_secs(30);
const PROGRESS: usize = 240;

pub(crate) fn measure() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let load = CpuLoad::start()?;
    let up = Up::start()?;
    wait(WARM_UP);
    let switch = Switch::of(up.pid())?;
    let (mut pairs, mut own_ns) = (Vec::new(), 0);
    for pair in 0..PAIRS {
        let before = up.cpu_ns()?;
        // ABBA: a drift of the machine hits both sides alike.
        let is_off_first = pair % 2 == 0;
        let first = half(&load, &switch, !is_off_first)?;
        let second = half(&load, &switch, is_off_first)?;
        pairs.push(if is_off_first { (first, second) } else { (second, first) });
        own_ns += up.cpu_ns()? - before;
        if (pair + 1) % PROGRESS == 0 {
            let so_far = loss(&pairs).context("there are pairs")?;
            eprintln!("  {} pairs: {:.2} %", pairs.len(), so_far.mean * 100.0);
        }
    }
    let loss = loss(&pairs).context("there are pairs")?;
    let processors = std::thread::available_parallelism()?.get() as f64;
    let own = own_ns as f64 / (PAIRS as f64 * HALF.as_nanos() as f64) / processors;
    let measured = format!(
        "{:.2} % (95 %: {:.2} to {:.2}; {PAIRS} pairs of {} ms)",
        loss.mean * 100.0,
        loss.low * 100.0,
        loss.high * 100.0,
        HALF.as_millis()
    );
    Ok(vec![
        Row::new("throughput lost at 99 Hz, all processors busy", measured)
            .against("≤ 0.7 %", loss.mean <= 0.007),
        Row::new(
            "of that, CPU time of the infrared process (agent, server, store)",
            format!("{:.2} %", own * 100.0),
        ),
    ])
}

/// The load's throughput with Infrared on or off.
fn half(load: &CpuLoad, switch: &Switch, is_on: bool) -> Result<f64> {
    if is_on {
        switch.on()?;
    } else {
        switch.off()?;
    }
    Ok(load.throughput(HALF))
}
