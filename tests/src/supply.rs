//! Whether a program had the processor time that a question about its samples needs. A test that measures says
//! *starved* where it had not: the machine was too busy to tell, and nothing is known to be wrong.
//!
//! It judges amounts alone: a wrong stack is wrong however few there are.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::tree_cpu_ns;

/// What is expected has to be so many times what is demanded: chance takes a part of it, and so does time in which a
/// program begins and ends.
const ROOM: f64 = 2.0;

/// For how long processor time is waited for, and how often it is looked at: its resolution is 10 ms.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Since when a process, with all that descends from it, is watched.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    pid: u32,
    since: Instant,
    before_ns: u64,
}

impl Meter {
    pub fn start(pid: u32) -> Result<Self> {
        Ok(Self { pid, since: Instant::now(), before_ns: tree_cpu_ns(pid)? })
    }

    /// What it has had since.
    pub fn read(&self) -> Result<Supply> {
        let cpu = Duration::from_nanos(tree_cpu_ns(self.pid)?.saturating_sub(self.before_ns));
        Ok(Supply { cpu, wall: self.since.elapsed() })
    }

    /// Waits until it has had so much processor time since.
    pub fn await_cpu(&self, cpu: Duration) -> Result<()> {
        loop {
            let supply = self.read()?;
            if supply.cpu >= cpu {
                return Ok(());
            }
            if supply.wall > PATIENCE {
                bail!(
                    "starved: process {} has had {:?} in {:?}",
                    self.pid,
                    supply.cpu,
                    supply.wall
                );
            }
            std::thread::sleep(POLL);
        }
    }
}

/// The processor time that a program had while it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supply {
    pub cpu: Duration,
    pub wall: Duration,
}

/// How many samples a test needs.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub samples: u64,
    /// The part of the program's time, 0 to 1, that what is counted takes at least.
    pub part: f64,
    pub hz: u32,
}

/// Why there are too few samples.
#[derive(Clone, Copy, Debug)]
pub enum Shortage {
    /// The program was not given the time in which they would have been taken.
    Starved { seen: u64, supply: Supply },
    /// It was.
    Wrong { seen: u64, need: Need, supply: Supply },
}

impl Supply {
    /// What keeps `seen` samples from being enough.
    pub fn shortage(self, seen: u64, need: Need) -> Option<Shortage> {
        if seen >= need.samples {
            None
        } else if self.expected(need) < need.samples as f64 * ROOM {
            Some(Shortage::Starved { seen, supply: self })
        } else {
            Some(Shortage::Wrong { seen, need, supply: self })
        }
    }

    fn expected(self, need: Need) -> f64 {
        self.cpu.as_secs_f64() * f64::from(need.hz) * need.part
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Starved { seen, supply } | Self::Wrong { seen, supply, .. }) = self;
        let (cpu, wall) = (supply.cpu.as_secs_f64(), supply.wall.as_secs_f64());
        match self {
            Self::Starved { .. } => write!(
                f,
                "starved: {cpu:.2} s of processor time in {wall:.1} s and {seen} samples, too little to tell"
            ),
            Self::Wrong { need, .. } => write!(
                f,
                "wrong: {seen} samples of about {:.0} in {cpu:.2} s of processor time ({wall:.1} s)",
                supply.expected(*need)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEED: Need = Need { samples: 10, part: 0.5, hz: 100 };

    fn said(cpu_ms: u64, seen: u64) -> String {
        let supply = Supply { cpu: Duration::from_millis(cpu_ms), wall: Duration::from_secs(6) };
        supply.shortage(seen, NEED).map(|shortage| shortage.to_string()).unwrap_or_default()
    }

    #[test]
    fn few_samples_of_little_time_are_starved_and_few_of_much_are_wrong() {
        let table = [
            (1000, 10, ""),
            (10, 10, ""),
            (390, 9, "starved: 0.39 s of processor time in 6.0 s and 9 samples"),
            (410, 9, "wrong: 9 samples of about 20 in 0.41 s of processor time"),
            (0, 0, "starved: 0.00 s"),
        ];
        for (cpu_ms, seen, expected) in table {
            let said = said(cpu_ms, seen);
            assert!(said.starts_with(expected), "{said:?}");
            assert_eq!(said.is_empty(), expected.is_empty(), "{said:?}");
        }
    }
}
