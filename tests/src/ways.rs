//! Programs that burn time in functions which are reached in as many ways, and a recording of one.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{
    Frame, Machine, Observed, Outcome, Recording, Request, Stack, Target, Truth, binomial_interval,
};

const HZ: u32 = 499;
const SECONDS: u32 = 4;
/// Of all the shares of all versions, one in some hundred test runs may be outside.
const CONFIDENCE: f64 = 0.9999;
const FEWEST: u64 = 200;

/// What a program does.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    pub service: &'static str,
    /// The function that everything is beneath.
    pub root: &'static str,
    /// From the root to the leaf, what each stack of a leaf goes through; others may be in between.
    pub ways: &'static [(&'static str, &'static [&'static str])],
    /// Which stacks have to have the root: a machine has threads of its own.
    pub is_its: fn(&Stack) -> bool,
}

/// What it did, and what was seen of it.
#[derive(Clone, Debug)]
pub struct WaysRun {
    pub observed: Observed,
    truth: Truth,
}

impl Ways {
    /// Runs `command`, which understands `--seconds`, from its release to its end.
    pub fn record(&self, mut command: Command) -> Result<WaysRun> {
        let _machine = Machine::reserve()?;
        command.args(["--seconds", &SECONDS.to_string()]);
        let mut target = Target::start(command)?;
        let recording = Recording::start(Request { pids: vec![target.pid()], hz: HZ })?;
        target.release()?;
        let truth = target.truth(Duration::from_secs(SECONDS.into()))?;
        let Outcome { folded, .. } = recording.finish()?;
        target.leave()?;
        Ok(WaysRun { observed: Observed::of(&folded, &[self.service]), truth })
    }

    /// Whether each leaf has the share that it had, through what it was called. Returns the part, 0 to 1, of the stacks that have
    /// their functions.
    pub fn check(&self, run: &WaysRun) -> Result<f64> {
        let observed = run.observed.only(self.is_its);
        let all = observed.only(|stack| is_below(stack, self.root));
        let is_leaf = |frame: &Frame| self.ways.iter().any(|(leaf, _)| plain(frame) == *leaf);
        let burnt = all.only(|stack| stack.frames.iter().any(is_leaf));
        let (samples, total) = (observed.samples(), burnt.samples());
        ensure!(samples > FEWEST, "{samples} samples: starved");
        let strays = observed.examples(|stack| !is_below(stack, self.root));
        ensure!(samples - all.samples() <= missing(samples), "without {}:\n{strays}", self.root);
        let cut = observed.examples(|stack| !stack.is_rooted());
        let rooted = observed.count(Stack::is_rooted);
        ensure!(samples - rooted <= missing(samples), "{rooted} of {samples}:\n{cut}");
        for (leaf, share) in run.truth.shares() {
            let of_leaf = burnt.only(|stack| stack.frames.iter().any(|frame| plain(frame) == leaf));
            let interval = binomial_interval(of_leaf.samples(), total, CONFIDENCE);
            ensure!(interval.contains(share), "{leaf}: {share} outside {interval:?}");
            let way = self.ways.iter().find(|(name, _)| *name == leaf);
            let way = way.map_or(&[][..], |(_, way)| way);
            let strays = of_leaf.examples(|stack| !goes_through(stack, way));
            ensure!(!way.is_empty() && strays.is_empty(), "{leaf}: not through {way:?}:\n{strays}");
        }
        Ok(all.samples() as f64 / samples as f64)
    }
}

/// Samples that may be without their functions: those whose stacks waited for a table.
fn missing(samples: u64) -> u64 {
    samples / 100
}

/// The name without what it is qualified by.
fn plain(frame: &Frame) -> &str {
    let name = frame.name();
    name.rsplit('.').next().unwrap_or(name)
}

fn is_below(stack: &Stack, function: &str) -> bool {
    stack.frames.iter().any(|frame| plain(frame) == function)
}

fn goes_through(stack: &Stack, way: &[&str]) -> bool {
    let mut left = way.iter().peekable();
    for frame in &stack.frames {
        left.next_if(|function| plain(frame) == **function);
    }
    left.peek().is_none()
}
