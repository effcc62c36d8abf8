//! Why a command did not do what it was asked, and the exit code that says so.

use std::process::ExitCode;

use clap::{CommandFactory, error::ErrorKind};

use crate::args::Cli;

/// The end of a command that failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments contradict each other: exit code 2, as for arguments that cannot be parsed.
    Usage(String),
    /// The command to be recorded could not be run: 126, or 127 if it was not found, as in shells.
    CannotRun { program: String, error: std::io::Error, code: u8 },
    /// Anything else: exit code 1.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Failure {
    /// Says on standard error what went wrong.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::Usage(message) => {
                let error = Cli::command().error(ErrorKind::ArgumentConflict, message);
                // Nobody listens if this fails.
                drop(error.print());
                ExitCode::from(2)
            }
            Self::CannotRun { program, error, code } => {
                eprintln!("infrared: cannot run {program}: {error}");
                ExitCode::from(code)
            }
            // What was read from us is no longer wanted, as in `infrared … | head`.
            Self::Failed(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
            Self::Failed(error) => {
                eprintln!("infrared: {}", told(&error));
                ExitCode::FAILURE
            }
        }
    }
}

/// The error and its causes, each once: some messages hold their cause's already.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_cause_is_told_once() {
        for (error, text) in [
            (anyhow!("no room").context("cannot write a"), "cannot write a: no room"),
            (anyhow!("no room").context("cannot write a: no room"), "cannot write a: no room"),
            (anyhow!("no room"), "no room"),
        ] {
            assert_eq!(told(&error), text);
        }
    }
}
