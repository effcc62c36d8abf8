//! What we are allowed to do, what is missing, and how to grant it (capabilities(7)).

use std::path::Path;

use crate::{Error, Pid, ProcFs};

/// A capability that profiling makes use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Capability {
    DacReadSearch,
    IpcLock,
    SysPtrace,
    SysAdmin,
    SysResource,
    Syslog,
    Perfmon,
    Bpf,
    CheckpointRestore,
}

/// How much profiling needs a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing works without.
    Required,
    /// Something is lost without.
    Useful,
    /// Stands in for others, or is needed by old kernels alone.
    Substitute,
}

impl Capability {
    /// All of them, by number.
    pub const ALL: [Self; 9] = [
        Self::DacReadSearch,
        Self::IpcLock,
        Self::SysPtrace,
        Self::SysAdmin,
        Self::SysResource,
        Self::Syslog,
        Self::Perfmon,
        Self::Bpf,
        Self::CheckpointRestore,
    ];

    /// Bit number, from the kernel's `capability.h`.
    pub fn number(self) -> u32 {
        match self {
            Self::DacReadSearch => 2,
            Self::IpcLock => 14,
            Self::SysPtrace => 19,
            Self::SysAdmin => 21,
            Self::SysResource => 24,
            Self::Syslog => 34,
            Self::Perfmon => 38,
            Self::Bpf => 39,
            Self::CheckpointRestore => 40,
        }
    }

    /// Such as `CAP_BPF`.
    pub fn name(self) -> &'static str {
        match self {
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::IpcLock => "CAP_IPC_LOCK",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::SysResource => "CAP_SYS_RESOURCE",
            Self::Syslog => "CAP_SYSLOG",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
            Self::CheckpointRestore => "CAP_CHECKPOINT_RESTORE",
        }
    }

    pub fn need(self) -> Need {
        match self {
            Self::Bpf | Self::Perfmon | Self::SysPtrace => Need::Required,
            Self::DacReadSearch | Self::Syslog | Self::CheckpointRestore => Need::Useful,
            Self::IpcLock | Self::SysAdmin | Self::SysResource => Need::Substitute,
        }
    }

    /// What is lost without it.
    pub fn loss(self) -> &'static str {
        match self {
            Self::DacReadSearch => "programs that only their owner can read stay without names",
            Self::IpcLock => {
                "rings larger than kernel.perf_event_mlock_kb and the limit on locked memory"
            }
            Self::SysPtrace => "the mappings and environments of other users' processes are hidden",
            Self::SysAdmin => "nothing, with the others",
            Self::SysResource => "before Linux 5.11, tables larger than the limit on locked memory",
            Self::Syslog => "kernel functions have no names (kernel.kptr_restrict)",
            Self::Perfmon => "no samples can be taken",
            Self::Bpf => "no programs can be loaded into the kernel",
            Self::CheckpointRestore => "files that were deleted or replaced cannot be reached",
        }
    }

    /// `CAP_SYS_ADMIN` holds what was split off from it.
    fn is_within_sys_admin(self) -> bool {
        matches!(self, Self::Bpf | Self::Perfmon | Self::CheckpointRestore | Self::Syslog)
    }
}

/// The effective capabilities of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// `CapEff` of `status`.
    pub effective: u64,
    /// Capabilities in a user namespace of one's own do not reach the kernel: root in a rootless
    /// container shows them all, and has none.
    pub is_initial_user_namespace: bool,
}

impl Capabilities {
    /// Our own.
    pub fn of_self() -> Result<Self, Error> {
        let proc_fs = ProcFs::system();
        let process = proc_fs.process(Pid(std::process::id()))?;
        let uid_map = process.read("uid_map", 4096);
        Ok(Self {
            effective: process.status()?.effective_capabilities,
            // a kernel without user namespaces has no such file
            is_initial_user_namespace: uid_map.map_or(true, |map| is_initial(&map)),
        })
    }

    /// Whether it is granted, if only through `CAP_SYS_ADMIN`.
    pub fn has(self, capability: Capability) -> bool {
        let is_set = |capability: Capability| self.effective >> capability.number() & 1 == 1;
        self.is_initial_user_namespace
            && (is_set(capability)
                || capability.is_within_sys_admin() && is_set(Capability::SysAdmin))
    }

    /// Those that are required or useful, and missing.
    pub fn missing(self) -> Vec<Capability> {
        let is_needed = |capability: &Capability| capability.need() != Need::Substitute;
        Capability::ALL.into_iter().filter(is_needed).filter(|&cap| !self.has(cap)).collect()
    }

    /// Whether profiling can work at all.
    pub fn suffice(self) -> bool {
        self.missing().into_iter().all(|capability| capability.need() != Need::Required)
    }

    /// What is missing and how to grant it to `program`, in a few lines; `None` when nothing is.
    pub fn advice(self, program: &Path) -> Option<String> {
        let missing = self.missing();
        if missing.is_empty() {
            return None;
        }
        let names: Vec<&str> = missing.iter().map(|capability| capability.name()).collect();
        let mut lines = vec![format!("missing capabilities: {}", names.join(", "))];
        lines.extend(missing.iter().map(|cap| format!("  without {}: {}", cap.name(), cap.loss())));
        if self.is_initial_user_namespace {
            lines.push("run as root, or grant them to the program:".to_owned());
            lines.push(format!("  sudo setcap {}+ep {}", setcap_list(), quoted(program)));
            lines.push("or to a systemd service:".to_owned());
            lines.push(format!("  AmbientCapabilities={}", ambient_list()));
        } else {
            let advice = "this is a user namespace (a rootless container): its capabilities do not \
                reach the kernel; run outside of it";
            lines.push(advice.to_owned());
        }
        Some(lines.join("\n"))
    }
}

/// The initial namespace maps all ids to themselves.
fn is_initial(uid_map: &[u8]) -> bool {
    String::from_utf8_lossy(uid_map).split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

fn granted() -> impl Iterator<Item = &'static str> {
    let needed = Capability::ALL.into_iter().filter(|cap| cap.need() != Need::Substitute);
    needed.map(Capability::name)
}

/// The list for `setcap`, all that profiling makes use of: setcap replaces what was granted.
fn setcap_list() -> String {
    granted().map(str::to_ascii_lowercase).collect::<Vec<_>>().join(",")
}

/// The list for systemd's `AmbientCapabilities=`.
fn ambient_list() -> String {
    granted().collect::<Vec<_>>().join(" ")
}

/// As a word of a POSIX shell.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const ALL_NEEDED: u64 = 1 << 2 | 1 << 19 | 1 << 34 | 1 << 38 | 1 << 39 | 1 << 40;

    fn with(effective: u64) -> Capabilities {
        Capabilities { effective, is_initial_user_namespace: true }
    }

    #[test]
    fn what_is_missing_follows_from_the_bits() {
        use Capability::{Bpf, CheckpointRestore, DacReadSearch, Perfmon, SysPtrace, Syslog};
        let everything = vec![DacReadSearch, SysPtrace, Syslog, Perfmon, Bpf, CheckpointRestore];
        let table = [
            (ALL_NEEDED, vec![], true),
            (0, everything.clone(), false),
            (1 << 21, vec![DacReadSearch, SysPtrace], false),
            (1 << 21 | 1 << 19, vec![DacReadSearch], true),
            (1 << 39 | 1 << 38 | 1 << 19, vec![DacReadSearch, Syslog, CheckpointRestore], true),
        ];
        for (effective, missing, suffices) in table {
            assert_eq!(with(effective).missing(), missing, "{effective:#x}");
            assert_eq!(with(effective).suffice(), suffices, "{effective:#x}");
        }
        let rootless = Capabilities { effective: u64::MAX, is_initial_user_namespace: false };
        assert_eq!(rootless.missing(), everything);
    }

    #[test]
    fn the_advice_names_what_is_missing_and_how_to_grant_it() {
        assert_eq!(with(ALL_NEEDED).advice(Path::new("/bin/infrared")), None);
        let advice =
            with(ALL_NEEDED & !(1 << 39)).advice(Path::new("/opt/my apps/infrared")).unwrap();
        assert!(advice.starts_with("missing capabilities: CAP_BPF\n"), "{advice}");
        let setcap = "sudo setcap cap_dac_read_search,cap_sys_ptrace,cap_syslog,cap_perfmon,cap_bpf,\
            cap_checkpoint_restore+ep '/opt/my apps/infrared'";
        assert!(advice.contains(setcap), "{advice}");
        assert!(
            advice.contains("AmbientCapabilities=CAP_DAC_READ_SEARCH CAP_SYS_PTRACE"),
            "{advice}"
        );
        let rootless = Capabilities { effective: u64::MAX, is_initial_user_namespace: false };
        let advice = rootless.advice(Path::new("/bin/infrared")).unwrap();
        assert!(advice.contains("user namespace") && !advice.contains("setcap"), "{advice}");
    }

    #[test]
    fn our_own_capabilities_are_those_that_the_kernel_shows() {
        let own = Capabilities::of_self().unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let shown = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
        assert_eq!(own.effective, u64::from_str_radix(shown, 16).unwrap());
        assert!(own.is_initial_user_namespace);
    }

    #[test]
    fn the_map_of_a_user_namespace_is_not_the_initial_one() {
        let output = Command::new("unshare")
            .args(["--user", "--map-root-user", "cat", "/proc/self/uid_map"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!is_initial(&output.stdout));
        assert!(is_initial(&std::fs::read("/proc/self/uid_map").unwrap()));
    }
}
