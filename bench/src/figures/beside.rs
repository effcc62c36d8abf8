//! What the whole process, agent and server and store, takes of the machine beside others that work.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use e2e::{Builds, Load, Machine, Recording, Request, Server, ServerKind, Up, resident_mib};
use tempfile::TempDir;

use crate::figures::memory::{JAVA, NODE};
use crate::load::wait;
use crate::report::Row;

/// Before it is measured, the first tables and names are made.
const SETTLING: Duration = Duration::from_secs(10);
const TIME: Duration = Duration::from_mins(1);
const HZ: u32 = 99;

pub(crate) fn builds() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let mut builds = Builds::start()?;
    let up = Up::start()?;
    let share = share_of_one_core(&up)?;
    let (now, peak) = resident_mib(up.pid())?;
    builds.check()?;
    let what = "the infrared process beside gcc and rustc";
    Ok(vec![
        Row::new(format!("{what}: share of one core"), format!("{:.2} %", share * 100.0))
            .against("≤ 1 %", share <= 0.01),
        Row::new(format!("{what}: resident, highest"), format!("{now:.0} MiB, {peak:.0} MiB"))
            .against("≤ 80 MiB", peak <= 80.0),
    ])
}

/// g++, Redis, Go, Python, a JVM and Node.js, at work until it is dropped.
pub(super) struct SixServices {
    loads: Vec<Load>,
    _servers: [Box<dyn Server>; 2],
    _dir: TempDir,
}

impl SixServices {
    pub(super) fn start() -> Result<Self> {
        let dir = e2e::scratch_dir()?;
        let source = dir.path().join("Busy.java");
        std::fs::write(&source, JAVA)?;
        let mut java = Command::new("java");
        java.arg(&source);
        let mut node = Command::new("node");
        node.args(["-e", NODE]);
        let mut python = Command::new("python3");
        python.args(["-c", "while True: sum(i * i for i in range(50000))"]);
        let mut compiler = Command::new("sh");
        let heavy = "echo '#include <regex>' > r.cc; while g++ -O2 -c r.cc -o r.o; do :; done";
        compiler.args(["-c", heavy]).current_dir(dir.path());
        let servers = [ServerKind::Redis.start()?, ServerKind::GoHttp.start()?];
        let mut loads = vec![Load::start([java, node, python, compiler])?];
        for server in &servers {
            loads.push(server.load()?);
        }
        Ok(Self { loads, _servers: servers, _dir: dir })
    }

    /// An error if one has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        self.loads.iter_mut().try_for_each(Load::check)
    }
}

pub(crate) fn six_services() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let mut services = SixServices::start()?;
    let up = Up::start()?;
    let share = share_of_one_core(&up)? / std::thread::available_parallelism()?.get() as f64;
    drop(up);
    let mut recording = Recording::start(Request::machine(HZ))?;
    recording.go_on_for(SETTLING)?;
    let stats = recording.finish()?.stats;
    services.check()?;
    let mut reasons: Vec<_> = stats.truncated.into_iter().collect();
    reasons.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let reasons: Vec<String> =
        reasons.into_iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
    let of_samples = format!("{} samples; {}", stats.samples_taken, reasons.join(", "));
    Ok(vec![
        Row::new(
            "the infrared process beside six services: share of the machine",
            format!("{:.2} %", share * 100.0),
        )
        .against("≤ 0.4 %", share <= 0.004),
        Row::new("stacks of six services that are cut, in the ten seconds after", of_samples),
    ])
}

fn share_of_one_core(up: &Up) -> Result<f64> {
    wait(SETTLING);
    up.cpu_share(TIME)
}
