//! Whether we may profile at all; asked before anything else is done.

use std::path::PathBuf;

use infrared_processes::{Capabilities, PidView};

use crate::failure::Failure;

/// Fails with what is missing and how to grant it. Returns a warning when profiling works with something lost.
pub(crate) fn require() -> Result<Option<String>, Failure> {
    if let Some(trouble) = trouble_with_pids(PidView::of_self()) {
        return Err(anyhow::anyhow!("{trouble}\n{PIDS_REMEDY}").into());
    }
    let own = Capabilities::of_self()?;
    let advice = own.advice(&program());
    match advice {
        Some(advice) if !own.suffice() => Err(refusal(&advice).into()),
        advice => Ok(advice),
    }
}

/// How to see all processes from within a container.
pub(crate) const PIDS_REMEDY: &str =
    "start it with the host's processes: docker run --pid=host, or hostPID: true in a pod";

/// Why processes cannot be told apart; `None` if they can.
pub(crate) fn trouble_with_pids(view: PidView) -> Option<&'static str> {
    match view {
        PidView::Machine => None,
        PidView::Namespace => Some(
            "this is another pid namespace than the machine's: the kernel tells of processes by numbers that are not theirs here",
        ),
        PidView::Foreign => {
            Some("/proc does not show this process: it is that of another pid namespace")
        }
    }
}

fn refusal(advice: &str) -> anyhow::Error {
    anyhow::anyhow!("not enough privileges to profile this machine\n{advice}")
}

/// The program's own file, as `setcap` wants it.
pub(crate) fn program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "infrared".into())
}
