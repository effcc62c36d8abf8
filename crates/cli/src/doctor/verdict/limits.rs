//! What follows from the limits of the machine. Pure.

use infrared_agent::AgentConfig;
use infrared_bpf::LOCKED_BYTES_PER_CPU;
use infrared_processes::Capability;

use super::{Verdict, impossible, limited, ok};
use crate::doctor::{facts::Facts, limits::Lockdown};

pub(super) fn judge(facts: &Facts) -> Vec<Verdict> {
    let verdicts = [open_files(facts), locked_memory(facts), sample_rate(facts), lockdown(facts)];
    verdicts.into_iter().chain(mapped_files(facts)).collect()
}

fn open_files(facts: &Facts) -> Verdict {
    /// Files of images that the agent keeps at hand, and what processes are read with.
    const OF_PROCESSES: u64 = 1024 + 256;
    /// A timer and a ring of process events.
    const OF_A_CPU: u64 = 2;
    let wanted = OF_PROCESSES + OF_A_CPU * facts.cpus as u64;
    match facts.limits.open_files {
        Some(limit) if limit < wanted => limited(
            "open files",
            format!("limited to {limit}"),
            &format!(
                "beside many programs some cannot be opened (it takes up to {wanted} files): their stacks are guessed, without names"
            ),
            "ulimit -Hn 65536, LimitNOFILE=65536 in the systemd unit, or docker run --ulimit nofile=65536",
        ),
        Some(limit) => ok("open files", limit.to_string()),
        None => ok("open files", "unlimited"),
    }
}

/// Rings are charged to what perf allows for each CPU, and beyond it to the limit on locked memory (`perf_mmap` in
/// `kernel/events/core.c`). Maps of BPF programs are charged to the cgroup, since Linux 5.11.
fn locked_memory(facts: &Facts) -> Verdict {
    let limits = &facts.limits;
    let Some(limit) = limits.locked_memory else { return ok("locked memory", "unlimited") };
    let found = format!("{} KiB", limit >> 10);
    let is_exempt = facts.perf_event_paranoid.is_some_and(|value| value < 0)
        || facts.capabilities.is_some_and(|own| own.has(Capability::IpcLock));
    let allowed = limits.perf_locked_kib.and_then(|kib| u64::try_from(kib).ok());
    let allowed = allowed.unwrap_or(0).saturating_mul(1024);
    let beyond = LOCKED_BYTES_PER_CPU.saturating_sub(allowed).saturating_mul(facts.cpus as u64);
    if is_exempt || beyond <= limit {
        return ok("locked memory", format!("{found}, which is enough here"));
    }
    limited(
        "locked memory",
        format!("{found}, and {} KiB for each CPU", allowed >> 10),
        "there is no room for the process events of all CPUs: programs that start on some are found late",
        &format!(
            "sysctl kernel.perf_event_mlock_kb={}, LimitMEMLOCK=infinity in the systemd unit, or CAP_IPC_LOCK",
            LOCKED_BYTES_PER_CPU >> 10
        ),
    )
}

/// A timer of more samples a second is refused by `perf_event_open`.
fn sample_rate(facts: &Facts) -> Verdict {
    let name = "sampling rate";
    let Some(rate) = facts.limits.sample_rate else { return ok(name, "not limited") };
    let usual = AgentConfig::default().frequency_hz;
    let lowers = match facts.limits.cpu_time_percent {
        Some(percent @ 1..100) => {
            format!("; the kernel lowers it if events take more than {percent} % of a CPU")
        }
        _ => String::new(),
    };
    if rate >= i64::from(usual) {
        return ok(name, format!("up to {rate} a second on each CPU{lowers}"));
    }
    limited(
        name,
        format!("kernel.perf_event_max_sample_rate = {rate}{lowers}"),
        &format!("{usual} samples a second, the default, are refused"),
        &format!(
            "sysctl kernel.perf_event_max_sample_rate=100000, or a frequency of at most {rate}"
        ),
    )
}

/// Our programs read the kernel's memory by types and never by `bpf_probe_read_kernel`, which `confidentiality` takes away.
/// Whether that is enough is for the trial to say.
fn lockdown(facts: &Facts) -> Verdict {
    let is_refused = facts.features.as_ref().is_some_and(|features| features.sampler.is_err());
    match facts.limits.lockdown {
        Lockdown::None => ok("lockdown", "none"),
        Lockdown::Integrity => ok("lockdown", "integrity, which allows profiling"),
        Lockdown::Confidentiality if is_refused => impossible(
            "lockdown",
            "confidentiality: root may not read the kernel's memory",
            "lockdown=integrity on the kernel's command line",
        ),
        Lockdown::Confidentiality => ok("lockdown", "confidentiality"),
    }
}

/// Nothing without the capability: then the loss is told there.
fn mapped_files(facts: &Facts) -> Option<Verdict> {
    let name = "mapped files";
    if facts.limits.follows_map_files {
        return Some(ok(name, "can be opened whatever became of their paths"));
    }
    let is_granted = facts.capabilities.is_some_and(|own| own.has(Capability::CheckpointRestore));
    is_granted.then(|| {
        limited(
            name,
            "/proc/PID/map_files cannot be followed, in spite of CAP_CHECKPOINT_RESTORE",
            "programs that were deleted or replaced while they run have no names",
            "a security module (AppArmor, SELinux) or another user namespace forbids it: look into the kernel's log",
        )
    })
}
