//! A run of shares programs, alone on the machine, and what the recording of it says against what they know.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    Interval, Machine, Observed, Outcome, Recording, Request, Target, Truth, binomial_interval,
    built, process_cpu_ns, stolen_ns,
};

/// A shares program to be run.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    pub program: &'static str,
    pub threads: u32,
    pub seconds: u32,
}

/// What a shares program did and what was seen of it.
#[derive(Clone, Debug)]
pub struct SharesRun {
    pub observed: Observed,
    pub truth: Truth,
    /// CPU time by the kernel's account, nanoseconds.
    pub accounted_ns: u64,
    /// What the hypervisor took from the machine meanwhile, by this program's part of the accounted time; nanoseconds.
    pub stolen_ns: u64,
    /// What it would have had with processors for itself.
    wanted_ns: u64,
    hz: u32,
}

/// How often one leaf was seen.
#[derive(Clone, Debug)]
pub struct Share {
    pub leaf: String,
    /// 0 to 1, as the program measured it.
    pub truth: f64,
    pub seen: u64,
    /// Of all leaves.
    pub total: u64,
    /// Where the share may lie by what was seen.
    pub interval: Interval,
}

impl Share {
    pub fn holds(&self) -> bool {
        self.interval.contains(self.truth)
    }
}

impl SharesRun {
    /// Runs the programs of `cast` together. All of their work lies inside the recording: its edges cut nothing off.
    pub fn record(cast: &[Cast], hz: u32) -> Result<Vec<Self>> {
        let _machine = Machine::reserve()?;
        let mut targets = cast.iter().map(start).collect::<Result<Vec<_>>>()?;
        let (before, stolen_before) = (accounted(&targets)?, stolen_ns()?);
        let begun = Instant::now();
        let pids = targets.iter().map(Target::pid).collect();
        let recording = Recording::start(Request { pids, hz })?;
        targets.iter_mut().try_for_each(Target::release)?;
        let mut truths = Vec::new();
        for (target, cast) in targets.iter_mut().zip(cast) {
            truths.push(target.truth(Duration::from_secs(cast.seconds.into()))?);
        }
        let (after, stolen) = (accounted(&targets)?, stolen_ns()? - stolen_before);
        let (elapsed, processors) = (begun.elapsed(), std::thread::available_parallelism()?);
        let wanted = cast.iter().map(|cast| cast.threads.min(processors.get() as u32));
        let wanted = wanted.map(|threads| (elapsed * threads).as_nanos() as u64);
        let Outcome { folded, .. } = recording.finish()?;
        targets.into_iter().try_for_each(Target::leave)?;
        let observed =
            cast.iter().map(|Cast { program, .. }| Observed::of(&folded, &[&service(program)]));
        let accounted: Vec<u64> = after.iter().zip(before).map(|(now, then)| now - then).collect();
        let sum = accounted.iter().sum::<u64>().max(1);
        let run = |(((observed, truth), accounted_ns), wanted_ns): (((_, _), &u64), u64)| {
            let stolen_ns = (stolen as f64 * *accounted_ns as f64 / sum as f64) as u64;
            Self { observed, truth, accounted_ns: *accounted_ns, stolen_ns, wanted_ns, hz }
        };
        Ok(observed.zip(truths).zip(&accounted).zip(wanted).map(run).collect())
    }

    /// Samples as time, against the accounted time: 0.01 means one in a hundred too much.
    ///
    /// The timer goes on while the hypervisor runs something else, and nobody is accounted for that. How much of it was
    /// taken from this program, and how much from processors that it was not on, is not told: it occupied its
    /// processors for what it is accounted for at least, and for all of the stolen time besides at most.
    pub fn conservation_error(&self) -> f64 {
        let (sampled, accounted) = (self.sampled_seconds(), self.accounted_ns as f64 / 1e9);
        let occupied = sampled.clamp(accounted, accounted + self.stolen_ns as f64 / 1e9);
        sampled / occupied - 1.0
    }

    /// How far chance takes the error, one time in a thousand: what shares its processors with others is met by the timer or not.
    /// Next to nothing where it has them for itself.
    pub fn conservation_chance(&self) -> f64 {
        const DEVIATIONS: f64 = 3.3;
        let part = (self.accounted_ns as f64 / self.wanted_ns as f64).min(1.0);
        let expected = self.accounted_ns as f64 / 1e9 * f64::from(self.hz);
        DEVIATIONS * ((1.0 - part) / expected).sqrt()
    }

    pub fn sampled_seconds(&self) -> f64 {
        self.observed.samples() as f64 / f64::from(self.hz)
    }

    /// Each leaf's share, with its interval at `confidence`.
    pub fn shares(&self, confidence: f64) -> Vec<Share> {
        let leaves: Vec<(&str, f64, u64)> = self
            .truth
            .shares()
            .map(|(leaf, truth)| (leaf, truth, self.observed.with(leaf).samples()))
            .collect();
        let total = leaves.iter().map(|(.., seen)| seen).sum();
        let share = |(leaf, truth, seen): (&str, f64, u64)| {
            let interval = binomial_interval(seen, total, confidence);
            Share { leaf: leaf.to_owned(), truth, seen, total, interval }
        };
        leaves.into_iter().map(share).collect()
    }
}

fn start(cast: &Cast) -> Result<Target> {
    let mut command = Command::new(built(cast.program)?);
    command.env("OTEL_SERVICE_NAME", service(cast.program));
    command.args(["--threads", &cast.threads.to_string(), "--seconds", &cast.seconds.to_string()]);
    Target::start(command)
}

fn service(program: &str) -> String {
    format!("e2e-{program}")
}

fn accounted(targets: &[Target]) -> Result<Vec<u64>> {
    targets.iter().map(|target| process_cpu_ns(target.pid())).collect()
}
