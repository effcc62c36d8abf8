//! Facts about the machine. Nothing is concluded here.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use infrared_bpf::{
    features::{self, Features},
    online_cpus,
};
use infrared_processes::{Capabilities, PidView, host::Host};

use super::limits::Limits;

/// How cgroups are mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cgroups {
    V2,
    /// v1 controllers, and v2 beside them.
    Hybrid,
    V1,
    None,
}

/// Whether kernel functions have addresses in `/proc/kallsyms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kallsyms {
    Readable,
    /// All addresses are 0.
    Masked,
    Missing,
}

/// Everything that the verdicts follow from.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) host: Host,
    pub(super) cpus: usize,
    /// `None`: not tried.
    pub(super) features: Option<Features>,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) btf: bool,
    pub(super) pids: PidView,
    pub(super) kallsyms: Kallsyms,
    pub(super) has_modules_file: bool,
    /// `kernel.perf_event_paranoid`, `kernel.kptr_restrict`, `kernel.bpf_stats_enabled`.
    pub(super) perf_event_paranoid: Option<i64>,
    pub(super) kptr_restrict: Option<i64>,
    pub(super) bpf_stats_enabled: Option<i64>,
    pub(super) limits: Limits,
    pub(super) cgroups: Cgroups,
}

impl Facts {
    /// All facts: also loads programs into the kernel, for a moment.
    pub(super) fn gather() -> Self {
        Self { features: Some(features::probe()), ..Self::gather_without_probes() }
    }

    /// What can be known by reading.
    pub(super) fn gather_without_probes() -> Self {
        Self {
            host: Host::read(),
            cpus: online_cpus().map_or(0, |cpus| cpus.len()),
            features: None,
            capabilities: Capabilities::of_self().ok(),
            btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
            pids: PidView::of_self(),
            kallsyms: kallsyms(),
            has_modules_file: Path::new("/proc/modules").exists(),
            perf_event_paranoid: sysctl("perf_event_paranoid"),
            kptr_restrict: sysctl("kptr_restrict"),
            bpf_stats_enabled: sysctl("bpf_stats_enabled"),
            limits: Limits::read(),
            cgroups: cgroups(),
        }
    }
}

/// A number of `/proc/sys/kernel`.
pub(super) fn sysctl(name: &str) -> Option<i64> {
    fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).ok()?.trim().parse().ok()
}

fn cgroups() -> Cgroups {
    let root = Path::new("/sys/fs/cgroup");
    let is_v1 = || fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some());
    if root.join("cgroup.controllers").exists() {
        Cgroups::V2
    } else if root.join("unified/cgroup.procs").exists() {
        Cgroups::Hybrid
    } else if is_v1() {
        Cgroups::V1
    } else {
        Cgroups::None
    }
}

fn kallsyms() -> Kallsyms {
    let mut start = Vec::new();
    let read =
        File::open("/proc/kallsyms").and_then(|file| file.take(64 << 10).read_to_end(&mut start));
    if read.is_err() || start.is_empty() {
        return Kallsyms::Missing;
    }
    kallsyms_state(&String::from_utf8_lossy(&start))
}

/// Per-CPU symbols come first and may well have small addresses, even 0: one that is not 0 is enough.
fn kallsyms_state(start: &str) -> Kallsyms {
    let is_zero = |line: &str| line.split(' ').next().is_some_and(|a| a.bytes().all(|b| b == b'0'));
    if start.lines().all(is_zero) { Kallsyms::Masked } else { Kallsyms::Readable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_addresses_are_told_from_readable_ones() {
        let line = "0000000000000000 A fixed_percpu_data\n";
        for (text, state) in [
            (line.repeat(2), Kallsyms::Masked),
            (format!("{line}ffffffff81000000 T _text\n"), Kallsyms::Readable),
        ] {
            assert_eq!(kallsyms_state(&text), state, "{text}");
        }
    }
}
