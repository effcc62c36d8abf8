//! `infrared doctor`: what can be done here, what is lost, and how to get it. Facts, then verdicts, then words.

mod facts;
mod limits;
mod process;
mod render;
#[cfg(test)]
mod tests;
mod verdict;

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use facts::Facts;
use verdict::{State, Verdict};

use crate::{args::DoctorArgs, failure::Failure, terminal};

pub(crate) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    if let Some(pid) = args.pid {
        let seen = infrared_agent::runtimes_of(pid)
            .with_context(|| format!("cannot look at process {pid}"))?;
        let text =
            if args.json { process::json(pid, &seen)? } else { process::sentences(pid, &seen) };
        std::io::stdout().write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let facts = Facts::gather();
    let verdicts = verdict::judge(&facts);
    let text = if args.json {
        render::json(&facts, &verdicts)?
    } else {
        render::table(&facts, &verdicts, terminal::colours(&std::io::stdout()))
    };
    std::io::stdout().write_all(text.as_bytes())?;
    let is_possible = verdicts.iter().all(|verdict| verdict.state != State::Impossible);
    Ok(if is_possible { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What does not work as it could, one sentence each: for `infrared up`.
pub(crate) fn warnings() -> Vec<String> {
    let verdicts = verdict::judge(&Facts::gather_without_probes());
    verdicts.iter().filter_map(Verdict::warning).collect()
}
