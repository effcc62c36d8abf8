//! Whether we may profile at all; asked before anything else is done.

use std::path::PathBuf;

use infrared_processes::Capabilities;

use crate::failure::Failure;

/// Fails with what is missing and how to grant it. Returns a warning when profiling works with something lost.
pub(crate) fn require() -> Result<Option<String>, Failure> {
    let own = Capabilities::of_self()?;
    let advice = own.advice(&program());
    match advice {
        Some(advice) if !own.suffice() => Err(refusal(&advice).into()),
        advice => Ok(advice),
    }
}

fn refusal(advice: &str) -> anyhow::Error {
    anyhow::anyhow!("not enough privileges to profile this machine\n{advice}")
}

/// The program's own file, as `setcap` wants it.
pub(crate) fn program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "infrared".into())
}
