//! What a busy machine loses: the load occupies every processor, so that whatever Infrared does, in interrupts, in the
//! kernel, in its own process, is taken from it.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::{Machine, Up};

use crate::load::{CpuLoad, wait};
use crate::paired::loss;
use crate::report::Row;

const PAIRS: usize = 12;
/// Two windows of the agent: symbols, export and storing are in it.
const ROUND: Duration = Duration::from_secs(20);
/// Start-up, table loading and the first window are not what a running agent costs.
const WARM_UP: Duration = Duration::from_secs(12);

pub(crate) fn measure() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let load = CpuLoad::start()?;
    let mut pairs = Vec::new();
    let mut own_cpu = Vec::new();
    for pair in 0..PAIRS {
        // ABBA: a drift of the machine hits both sides alike.
        let (off, on) = if pair % 2 == 0 {
            let off = load.throughput(ROUND);
            (off, with_infrared(&load, &mut own_cpu)?)
        } else {
            let on = with_infrared(&load, &mut own_cpu)?;
            (load.throughput(ROUND), on)
        };
        pairs.push((off, on));
        eprintln!("  pair {}: {:+.2} %", pair + 1, (1.0 - on / off) * 100.0);
    }
    let loss = loss(&pairs).context("there are pairs")?;
    let processors = std::thread::available_parallelism()?.get() as f64;
    let own = own_cpu.iter().sum::<f64>() / own_cpu.len() as f64 / processors;
    let measured = format!(
        "{:.2} % (95 %: {:.2} to {:.2}; {PAIRS} pairs of {} s)",
        loss.median * 100.0,
        loss.low * 100.0,
        loss.high * 100.0,
        ROUND.as_secs()
    );
    Ok(vec![
        Row::new("throughput lost at 99 Hz, all processors busy", measured)
            .against("≤ 0.7 %", loss.median <= 0.007),
        Row::new("of that, CPU time of the infrared process", format!("{:.2} %", own * 100.0)),
    ])
}

/// The load's throughput beside `infrared up`; what that itself used, in processors, goes to `own_cpu`.
fn with_infrared(load: &CpuLoad, own_cpu: &mut Vec<f64>) -> Result<f64> {
    let up = Up::start()?;
    wait(WARM_UP);
    let before = up.cpu_ns()?;
    let throughput = load.throughput(ROUND);
    own_cpu.push((up.cpu_ns()? - before) as f64 / ROUND.as_nanos() as f64);
    Ok(throughput)
}
