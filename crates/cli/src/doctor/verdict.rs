//! From facts to verdicts. Pure.

mod limits;

use infrared_bpf::{SAMPLING_EVENT, features::Probe};
use infrared_processes::{Capability, Need};
use serde::Serialize;

use crate::privileges;

use super::facts::{Cgroups, Facts, Kallsyms};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    /// Something is lost.
    Limited,
    /// Nothing can be recorded.
    Impossible,
}

/// The verdict on one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Verdict {
    pub(super) name: &'static str,
    pub(super) state: State,
    /// What was found.
    pub(super) found: String,
    /// What is lost, if anything.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) loss: String,
    /// How to get it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) remedy: String,
}

impl Verdict {
    /// What to tell someone who did not ask for everything.
    pub(super) fn warning(&self) -> Option<String> {
        let Self { name, found, loss, remedy, .. } = self;
        let remedy = if remedy.is_empty() { String::new() } else { format!(" ({remedy})") };
        (self.state != State::Ok && !loss.is_empty())
            .then(|| format!("{name}: {found}: {loss}{remedy}"))
    }
}

fn ok(name: &'static str, found: impl Into<String>) -> Verdict {
    Verdict {
        name,
        state: State::Ok,
        found: found.into(),
        loss: String::new(),
        remedy: String::new(),
    }
}

/// Loss and remedy of something that is missing.
fn limited(name: &'static str, found: impl Into<String>, loss: &str, remedy: &str) -> Verdict {
    let (loss, remedy) = (loss.to_owned(), remedy.to_owned());
    Verdict { name, state: State::Limited, found: found.into(), loss, remedy }
}

fn impossible(name: &'static str, found: impl Into<String>, remedy: &str) -> Verdict {
    let verdict = limited(name, found, "nothing can be recorded", remedy);
    Verdict { state: State::Impossible, ..verdict }
}

/// Whose processes we see.
fn pids(facts: &Facts) -> Verdict {
    let name = "processes";
    match privileges::trouble_with_pids(facts.pids) {
        None => ok(name, "all of the machine"),
        Some(trouble) => impossible(name, trouble, privileges::PIDS_REMEDY),
    }
}

/// The verdicts that follow from `facts`, in the order of the table.
pub(super) fn judge(facts: &Facts) -> Vec<Verdict> {
    let mut verdicts = vec![kernel(facts), btf(facts), pids(facts)];
    verdicts.extend(capabilities(facts));
    if facts.features.is_some() {
        verdicts.extend(probed(facts));
    }
    verdicts.extend([
        kernel_names(facts),
        modules(facts),
        paranoid(facts),
        cgroups(facts),
        run_time(facts),
    ]);
    verdicts.extend(limits::judge(facts));
    verdicts
}

/// The oldest kernel with everything: `bpf_loop` came with 5.17.
const OLDEST: (u32, u32) = (5, 17);

/// `6.1.0-18-amd64` is (6, 1).
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn kernel(facts: &Facts) -> Verdict {
    let host = &facts.host;
    let found = format!("{} {}, {} CPUs", host.kernel_release, host.machine, facts.cpus);
    match version(&host.kernel_release) {
        Some(version) if version < OLDEST => {
            impossible("kernel", found, "Linux 5.17 or later is needed")
        }
        _ => ok("kernel", found),
    }
}

fn btf(facts: &Facts) -> Verdict {
    if facts.btf {
        return ok("BTF", "/sys/kernel/btf/vmlinux");
    }
    impossible("BTF", "missing", "a kernel with CONFIG_DEBUG_INFO_BTF=y, as all distributions have")
}

fn capabilities(facts: &Facts) -> Vec<Verdict> {
    let Some(own) = facts.capabilities else {
        return vec![limited("capabilities", "unknown", "", "")];
    };
    let needed = Capability::ALL.into_iter().filter(|cap| cap.need() != Need::Substitute);
    let verdict = |capability: Capability| {
        let name = capability.name();
        let remedy = "run as root, or grant it by setcap or AmbientCapabilities=";
        match capability.need() {
            _ if own.has(capability) => ok(name, "granted"),
            Need::Required => {
                let loss = capability.loss().to_owned();
                Verdict { loss, ..impossible(name, "missing", remedy) }
            }
            _ => limited(name, "missing", capability.loss(), remedy),
        }
    };
    needed.map(verdict).collect()
}

fn probed(facts: &Facts) -> Vec<Verdict> {
    let Some(features) = &facts.features else { return Vec::new() };
    let timer = match &features.cpu_clock {
        Ok(()) => ok(
            "sampling timer",
            format!(
                "{SAMPLING_EVENT}; code that runs with interrupts off is seen where it turns them on"
            ),
        ),
        Err(error) => impossible(
            "sampling timer",
            format!("perf_event_open failed: {error}"),
            "CAP_PERFMON; containers: a seccomp profile that allows perf_event_open",
        ),
    };
    let sampler = match &features.sampler {
        Ok(report) => {
            let found = format!("loaded, and samples {} CPUs", report.cpus.len());
            match (report.failed.len(), report.unheard.len()) {
                (0, 0) => ok("sampler", found),
                (0, deaf) => {
                    let loss = format!("processes that start on {deaf} CPUs are found late");
                    limited("sampler", found, &loss, "")
                }
                (bad, _) => limited("sampler", found, &format!("{bad} CPUs are not seen"), ""),
            }
        }
        Err(error) => impossible("sampler", error.clone(), "see the other lines"),
    };
    let typed = tried(
        "typed tracepoints",
        &features.typed_tracepoint,
        State::Impossible,
        ("nothing can be recorded", "a kernel with CONFIG_DEBUG_INFO_BTF=y and BPF trampolines"),
    );
    let ring = tried(
        "ring buffer",
        &features.ring_buffer,
        State::Impossible,
        ("nothing can be recorded", "Linux 5.17 or later, and CAP_BPF"),
    );
    let plain =
        ("nothing yet: no part uses plain tracepoints", "tracefs mounted at /sys/kernel/tracing");
    let uprobe = ("nothing yet: no part uses uprobes", "a kernel with CONFIG_UPROBE_EVENTS=y");
    vec![
        timer,
        ring,
        typed,
        tried("tracepoints", &features.tracepoint, State::Limited, plain),
        tried("uprobes", &features.uprobe, State::Limited, uprobe),
        sampler,
    ]
}

fn tried(name: &'static str, probe: &Probe, state: State, (loss, remedy): (&str, &str)) -> Verdict {
    match probe {
        Ok(()) => ok(name, "work"),
        Err(error) => Verdict { state, ..limited(name, error.clone(), loss, remedy) },
    }
}

fn kernel_names(facts: &Facts) -> Verdict {
    let loss = "kernel frames have no names, they are `[kernel]`";
    let restrict = facts.kptr_restrict.map(|value| format!(" (kernel.kptr_restrict = {value})"));
    let restrict = restrict.unwrap_or_default();
    match facts.kallsyms {
        Kallsyms::Readable => ok("kernel names", format!("/proc/kallsyms{restrict}")),
        Kallsyms::Masked => {
            let remedy = "CAP_SYSLOG, or sysctl kernel.kptr_restrict=1; 2 hides them from everyone";
            limited("kernel names", format!("masked{restrict}"), loss, remedy)
        }
        Kallsyms::Missing => {
            limited("kernel names", "no /proc/kallsyms", loss, "a kernel with CONFIG_KALLSYMS=y")
        }
    }
}

fn modules(facts: &Facts) -> Verdict {
    let found = if facts.has_modules_file { "/proc/modules" } else { "the kernel has none" };
    ok("kernel modules", found)
}

fn paranoid(facts: &Facts) -> Verdict {
    let value = facts.perf_event_paranoid.map_or("unknown".into(), |value| value.to_string());
    ok("perf_event_paranoid", format!("{value} (does not bind who has CAP_PERFMON)"))
}

fn cgroups(facts: &Facts) -> Verdict {
    let remedy = "systemd.unified_cgroup_hierarchy=1 on the kernel's command line";
    match facts.cgroups {
        Cgroups::V2 => ok("cgroups", "v2"),
        Cgroups::Hybrid => ok("cgroups", "v1, with v2 beside it"),
        Cgroups::V1 => limited("cgroups", "v1", "record --cgroup does not work", remedy),
        Cgroups::None => {
            limited("cgroups", "not mounted", "containers are not told apart by their cgroup", "")
        }
    }
}

fn run_time(facts: &Facts) -> Verdict {
    match facts.bpf_stats_enabled {
        Some(1..) => ok("BPF run time", "is counted (it costs a little)"),
        _ => ok("BPF run time", "is not counted; sysctl kernel.bpf_stats_enabled=1 does"),
    }
}
