//! Facts about the limits that this machine sets to us. Nothing is concluded here.

use std::fs;

use infrared_processes::{
    Pid, ProcFs,
    image::{self, Origin},
    maps::{MapLimits, Mapping},
};
use rustix::process::{Resource, getrlimit};

use super::facts::sysctl;

/// How far the kernel is locked down, even for root (`kernel_lockdown(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lockdown {
    None,
    /// The kernel cannot be changed.
    Integrity,
    /// Nor can its memory be read.
    Confidentiality,
}

#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// The hard limit, to which we raise our own; `None` if there is none.
    pub(super) open_files: Option<u64>,
    /// Bytes; `None` if there is no limit.
    pub(super) locked_memory: Option<u64>,
    /// `kernel.perf_event_mlock_kb`: what rings may take beside the limit on locked memory, for each CPU.
    pub(super) perf_locked_kib: Option<i64>,
    /// `kernel.perf_event_max_sample_rate`, and the share of a CPU above which the kernel lowers it.
    pub(super) sample_rate: Option<i64>,
    pub(super) cpu_time_percent: Option<i64>,
    pub(super) lockdown: Lockdown,
    /// Whether mapped files can be opened whatever became of their paths.
    pub(super) follows_map_files: bool,
}

impl Limits {
    pub(super) fn read() -> Self {
        let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
        Self {
            open_files: getrlimit(Resource::Nofile).maximum,
            locked_memory: getrlimit(Resource::Memlock).current,
            perf_locked_kib: sysctl("perf_event_mlock_kb"),
            sample_rate: sysctl("perf_event_max_sample_rate"),
            cpu_time_percent: sysctl("perf_cpu_time_max_percent"),
            lockdown: lockdown_of(&lockdown),
            follows_map_files: follows_map_files(),
        }
    }
}

/// `none [integrity] confidentiality`: the one in brackets holds. A kernel without the file locks nothing down.
fn lockdown_of(text: &str) -> Lockdown {
    let chosen = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    match chosen {
        Some(("integrity", _)) => Lockdown::Integrity,
        Some(("confidentiality", _)) => Lockdown::Confidentiality,
        _ => Lockdown::None,
    }
}

/// Tried on our own code.
fn follows_map_files() -> bool {
    let Ok(own) = ProcFs::system().process(Pid(std::process::id())) else { return false };
    let Ok(found) = own.executable_mappings(MapLimits::default()) else { return false };
    let code = found.mappings.iter().find(|mapping: &&Mapping| mapping.is_file());
    let opened = code.and_then(|mapping| image::open(&own, mapping).ok());
    opened.is_some_and(|image| image.origin == Origin::MapFiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lockdown_in_brackets_holds() {
        for (text, lockdown) in [
            ("", Lockdown::None),
            ("[none] integrity confidentiality\n", Lockdown::None),
            ("none [integrity] confidentiality\n", Lockdown::Integrity),
            ("none integrity [confidentiality]\n", Lockdown::Confidentiality),
            ("none integrity [", Lockdown::None),
        ] {
            assert_eq!(lockdown_of(text), lockdown, "{text:?}");
        }
    }

    /// Needs root, as recording does.
    #[test]
    fn what_this_machine_allows_is_read() {
        let limits = Limits::read();
        assert!(limits.follows_map_files);
        assert!(limits.sample_rate.is_some_and(|rate| rate > 0), "{limits:?}");
        assert!(limits.perf_locked_kib.is_some(), "{limits:?}");
    }
}
