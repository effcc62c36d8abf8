//! The memory of a process by the kernel's account.

use anyhow::{Context, Result};

/// Resident memory of `pid` now and at its highest, in MiB (`VmRSS`, `VmHWM` of proc(5)).
pub fn resident_mib(pid: u32) -> Result<(f64, f64)> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0).with_context(|| format!("no {name} in status"))
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}
