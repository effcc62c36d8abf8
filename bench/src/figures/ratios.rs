//! What sampling costs, as multiples of what the kernel itself needs for the like: times vary with the host, ratios less.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Machine, Target, Up, built};
use infrared_bpf::Reference;

use crate::figures::unwinding;
use crate::load::{CpuLoad, wait};
use crate::paired::{Loss, loss, quantile};
use crate::report::Row;
use crate::run_time::{Counting, sampling_run};
use crate::switch::Switch;

const HZ: u32 = 99;
/// Often enough that a minute tells, seldom enough that the load has the caches in between.
const FAST_HZ: u32 = 499;
const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(5);
const WARM_UP: Duration = Duration::from_secs(15);
const CALIBRATION: Duration = Duration::from_secs(2);
const TURN: Duration = Duration::from_millis(50);
const TURNS: usize = 600;
/// For our own process's time.
const OWN_TIME: Duration = Duration::from_mins(1);

/// A frame of ours against one of the kernel's walk by frame pointers, of the same program built with them.
pub(crate) fn frame() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let _counting = Counting::start()?;
    let mut pairs = Vec::new();
    for _ in 0..ROUNDS {
        pairs.push((unwinding::round()?.ns_per_frame(), kernel_ns_per_frame()?));
    }
    let middle = |values: Vec<f64>| quantile(values, 0.5).context("there are rounds");
    let ratio = middle(pairs.iter().map(|(ours, kernel)| ours / kernel).collect())?;
    let ours = middle(pairs.iter().map(|(ours, _)| *ours).collect())?;
    let kernel = middle(pairs.iter().map(|(_, kernel)| *kernel).collect())?;
    let measured = format!("{ratio:.2} ({ours:.0} and {kernel:.0} ns)");
    Ok(vec![
        Row::new("a frame without frame pointers, against bpf_get_stack with them", measured)
            .against("≤ 1.3", ratio <= 1.3),
    ])
}

fn kernel_ns_per_frame() -> Result<f64> {
    let mut command = Command::new(built("shares-c-framed")?);
    command.args(unwinding::ARGUMENTS);
    let mut target = Target::start(command)?;
    let (reference, _events) = Reference::frame_pointers(HZ.into())?;
    target.release()?;
    wait(TIME);
    let (run, counts) = (sampling_run(std::process::id())?, reference.counts()?);
    drop(reference);
    target.stop()?;
    ensure!(
        counts.frames > 20 * counts.runs,
        "other programs run, or frame pointers lead nowhere: {counts:?}"
    );
    Ok(run.ns as f64 / counts.frames as f64)
}

/// A sample of 30 frames, and all that Infrared takes, against the same timer with an empty program.
pub(crate) fn sample() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let load = CpuLoad::start()?;
    let Losses { ours, empty, tick } = against_empty(&load)?;
    // Of what is lost at 99 Hz, too little for neighbours not to hide it, sampling is as much less as it is seldomer.
    let seldomer = f64::from(HZ) / f64::from(FAST_HZ);
    let own = own_share()?;
    let ratio = ours.mean / empty.mean;
    let all = (ours.mean * seldomer + own) / (empty.mean * seldomer);
    // A machine that others use may hide what an empty program takes.
    let is_told = empty.low > 0.0;
    let note = if is_told { "" } else { "not to be told: " };
    let lost = format!("{} lost, and {}", shown(&ours), shown(&empty));
    Ok(vec![
        Row::new(
            format!("a sample of 30 frames, against an empty program ({FAST_HZ} Hz)"),
            format!("{note}{ratio:.2} ({lost})"),
        )
        .against("≤ 1.5", is_told && ratio <= 1.5),
        Row::new(
            format!("all that is lost at {HZ} Hz, against an empty program"),
            format!("{note}{all:.2} (with {:.3} % of the machine for our process)", own * 100.0),
        )
        .against("≤ 1.6", is_told && all <= 1.6),
        Row::new(
            format!("the scheduler's tick in place of the timer, {FAST_HZ} Hz, empty program"),
            format!("{} lost", shown(&tick)),
        ),
    ])
}

/// Of all processors, what Infrared's own process takes beside the load.
fn own_share() -> Result<f64> {
    let up = Up::start_at(HZ)?;
    wait(WARM_UP);
    Ok(up.cpu_share(OWN_TIME)? / std::thread::available_parallelism()?.get() as f64)
}

fn shown(loss: &Loss) -> String {
    let [mean, low, high] = [loss.mean, loss.low, loss.high].map(|share| share * 100.0);
    format!("{mean:.3} % ({low:.3} to {high:.3})")
}

struct Losses {
    ours: Loss,
    empty: Loss,
    tick: Loss,
}

/// What is lost with each, in turns.
fn against_empty(load: &CpuLoad) -> Result<Losses> {
    let up = Up::start_at(FAST_HZ)?;
    let (_reference, events) = Reference::empty(FAST_HZ.into())?;
    let empty = Switch::of_events(events);
    let tick = Reference::tick()?;
    // As many ticks as samples; where there are fewer, all of them.
    let span = (2 * ticks_hz(&tick)? / FAST_HZ).max(1);
    let ours = Switch::of(up.pid())?;
    empty.off()?;
    wait(WARM_UP);
    ours.off()?;
    let measure = |which: usize| -> Result<f64> {
        match which {
            1 => ours.on()?,
            2 => empty.on()?,
            3 => tick.take_ticks(span)?,
            _ => {}
        }
        let throughput = load.throughput(TURN);
        match which {
            1 => ours.off()?,
            2 => empty.off()?,
            3 => tick.take_ticks(0)?,
            _ => {}
        }
        Ok(throughput)
    };
    let mut rounds: Vec<[f64; 4]> = Vec::new();
    for turn in 0..TURNS {
        let mut round = [0.0; 4];
        for step in 0..4 {
            // Each comes first as often as last: a drift of the machine hits all alike.
            let which = if turn % 2 == 0 { step } else { 3 - step };
            round[which] = measure(which)?;
        }
        rounds.push(round);
    }
    let of = |which: usize| {
        let pairs: Vec<_> = rounds.iter().map(|round| (round[0], round[which])).collect();
        loss(&pairs).context("there are turns")
    };
    Ok(Losses { ours: of(1)?, empty: of(2)?, tick: of(3)? })
}

/// Ticks a second of a busy CPU.
fn ticks_hz(tick: &Reference) -> Result<u32> {
    tick.take_ticks(1)?;
    let before = tick.counts()?.runs;
    wait(CALIBRATION);
    let ticks = tick.counts()?.runs - before;
    tick.take_ticks(0)?;
    let processors = std::thread::available_parallelism()?.get() as f64;
    Ok((ticks as f64 / processors / CALIBRATION.as_secs_f64()).round() as u32)
}
