//! The kernel side beside that of OpenTelemetry's eBPF profiler, on the same load, in turns.
//!
//! `OTEL_PROFILER` names its binary: what `go build` makes of its repository (open-telemetry/opentelemetry-ebpf-profiler).

use std::ffi::OsString;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Load, Machine, Up, free_address, infrared_binary, scratch_dir};

use crate::figures::beside::SixServices;
use crate::load::wait;
use crate::paired::quantile;
use crate::report::Row;
use crate::run_time::{Counting, sampling_run};

const BINARY: &str = "OTEL_PROFILER";
const HZ: u32 = 99;
const ROUNDS: usize = 3;
/// Each loads its tables and fills its caches first.
const SETTLING: Duration = Duration::from_secs(15);
const TIME: Duration = Duration::from_secs(15);

/// What one profiler's sampling took.
struct Taken {
    /// Of all processors.
    share: f64,
    us_per_run: f64,
}

pub(crate) fn measure() -> Result<Vec<Row>> {
    let what = "in the kernel beside six services, against OpenTelemetry's profiler";
    let Some(profiler) = std::env::var_os(BINARY) else {
        return Ok(vec![Row::new(what, format!("not compared: {BINARY} names no binary"))]);
    };
    let _machine = Machine::reserve()?;
    let _counting = Counting::start()?;
    let mut services = SixServices::start()?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push((ours()?, theirs(&profiler)?));
    }
    services.check()?;
    let middle = |value: &dyn Fn(&(Taken, Taken)) -> f64| {
        quantile(rounds.iter().map(value).collect(), 0.5).context("there are rounds")
    };
    let ratio = middle(&|(ours, theirs)| ours.share / theirs.share)?;
    let measured = format!(
        "{ratio:.2} ({:.3} % and {:.3} % of the machine; {:.1} and {:.1} µs a sample)",
        middle(&|(ours, _)| ours.share * 100.0)?,
        middle(&|(_, theirs)| theirs.share * 100.0)?,
        middle(&|(ours, _)| ours.us_per_run)?,
        middle(&|(_, theirs)| theirs.us_per_run)?,
    );
    Ok(vec![Row::new(what, measured).against("≤ 0.4", ratio <= 0.4)])
}

fn ours() -> Result<Taken> {
    let up = Up::start_at(HZ)?;
    taken(up.pid())
}

/// Its profiles go to a server of ours, so that it has somebody to tell.
fn theirs(profiler: &OsString) -> Result<Taken> {
    let store = scratch_dir()?;
    let (page, grpc, http) = (free_address()?, free_address()?, free_address()?);
    let mut server = Command::new(infrared_binary()?);
    server.args(["server", "--listen", &page.to_string(), "--otlp-grpc", &grpc.to_string()]);
    server.args(["--otlp-http", &http.to_string(), "--store"]).arg(store.path());
    let mut server = Load::start([server])?;
    server.await_listener(grpc)?;
    let mut command = Command::new(profiler);
    command.args(["-samples-per-second", &HZ.to_string(), "-disable-tls"]);
    command.args(["-collection-agent", &grpc.to_string()]);
    let mut load = Load::start([command])?;
    let pid = load.pids().next().context("it was started")?;
    let taken = taken(pid)?;
    load.check()?;
    server.check()?;
    Ok(taken)
}

fn taken(pid: u32) -> Result<Taken> {
    wait(SETTLING);
    let (begun, before) = (Instant::now(), sampling_run(pid)?);
    wait(TIME);
    let (elapsed, after) = (begun.elapsed(), sampling_run(pid)?);
    let (ns, runs) = (after.ns - before.ns, after.count - before.count);
    ensure!(runs > 0, "the process {pid} took no sample");
    let processors = std::thread::available_parallelism()?.get() as f64;
    Ok(Taken {
        share: ns as f64 / elapsed.as_nanos() as f64 / processors,
        us_per_run: ns as f64 / runs as f64 / 1e3,
    })
}
