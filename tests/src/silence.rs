//! File systems whose server does not answer any more.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// Has the server of the file system that `pid` runs from (`programs/c/served_file.c`) answer nothing from now on.
pub fn silence(pid: u32) -> Result<()> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let server = children.split_whitespace().next().and_then(|child| child.parse().ok());
    let server = server.and_then(Pid::from_raw).context("it has no server")?;
    kill_process(server, Signal::USR1).context("the server has ended")
}
