//! The agent's memory beside about a hundred processes, among them node, rustc and a JVM.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::{Builds, Machine, Target, Up, built, resident_mib, scratch_dir};
use tempfile::TempDir;

use crate::load::wait;
use crate::report::Row;

const TIME: Duration = Duration::from_mins(10);
const STEP: Duration = Duration::from_secs(30);
const PROCESSES: usize = 100;

pub(crate) fn measure() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let _builds = Builds::start()?;
    let _crowd = Crowd::start(PROCESSES)?;
    let up = Up::start()?;
    let mut waited = Duration::ZERO;
    while waited < TIME {
        wait(STEP);
        waited += STEP;
        let (now, _) = resident_mib(up.pid())?;
        eprintln!("  after {:>3} s: {now:.0} MiB", waited.as_secs());
    }
    let (now, peak) = resident_mib(up.pid())?;
    let what = format!("resident memory after {} min, {PROCESSES} processes", TIME.as_secs() / 60);
    Ok(vec![
        Row::new(what, format!("{now:.0} MiB")).against("≤ 60 MiB", now <= 60.0),
        Row::new("resident memory, highest", format!("{peak:.0} MiB")),
    ])
}

/// Processes of many kinds that mostly idle, as on any server. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Crowd {
    runtimes: Vec<Child>,
    natives: Vec<Target>,
    _dir: TempDir,
}

/// A little work in every tenth of a second.
pub(super) const NODE: &str =
    "setInterval(() => { let s = ''; for (let i = 0; i < 20000; i++) s += i; }, 100)";
pub(super) const JAVA: &str = "public class Busy { public static void main(String[] a) throws Exception {\n\
    for (;;) { var s = new StringBuilder(); for (int i = 0; i < 50000; i++) s.append(i);\n\
    if (s.length() == 0) return; Thread.sleep(100); } } }\n";

impl Crowd {
    pub(crate) fn start(processes: usize) -> Result<Self> {
        let dir = scratch_dir()?;
        let source = dir.path().join("Busy.java");
        std::fs::write(&source, JAVA)?;
        let mut crowd = Self { runtimes: Vec::new(), natives: Vec::new(), _dir: dir };
        for _ in 0..2 {
            crowd.run(Command::new("node").args(["-e", NODE]))?;
            crowd.run(Command::new("java").arg(&source))?;
            crowd.run(
                Command::new("python3")
                    .args(["-c", "import time\nwhile True: sum(range(50000)); time.sleep(0.1)"]),
            )?;
        }
        let names = [
            "simple",
            "simple-static",
            "simple-musl",
            "recursion",
            "jumps",
            "inlined",
            "go-stacks",
            "shares-rust",
        ];
        for name in names.iter().cycle().take(processes.saturating_sub(crowd.runtimes.len())) {
            crowd.natives.push(Target::start(Command::new(built(name)?))?);
        }
        Ok(crowd)
    }

    fn run(&mut self, command: &mut Command) -> Result<()> {
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.runtimes.push(child.with_context(|| format!("cannot run {command:?}"))?);
        Ok(())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.runtimes {
            // An error means that it has ended already.
            drop(child.kill());
            drop(child.wait());
        }
    }
}
