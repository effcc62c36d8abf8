//! What can go wrong between us and the kernel.

use std::io;

/// A failure of the kernel side, with what was being done.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    #[error("the kernel has no BTF (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF=y")]
    NoBtf,
    #[error("cannot open the BPF object {name}: {source}")]
    Open { name: &'static str, source: libbpf_rs::Error },
    #[error("the kernel refused the BPF program {name}: {source}")]
    Load { name: &'static str, source: libbpf_rs::Error },
    #[error("cannot attach {name}: {source}")]
    Attach { name: String, source: libbpf_rs::Error },
    #[error("map {name} is missing from the BPF object")]
    NoMap { name: &'static str },
    #[error("cannot {action} BPF map {map}: {source}")]
    Map { action: &'static str, map: &'static str, source: libbpf_rs::Error },
    #[error("cannot map memory of {what}: {source}")]
    Memory { what: &'static str, source: io::Error },
    #[error("perf_event_open failed on every CPU (first: {source}); see `infrared doctor`")]
    Perf { source: io::Error },
    #[error("cannot read the online CPUs: {0}")]
    Cpus(io::Error),
    #[error("cannot wait for kernel events: {0}")]
    Wait(io::Error),
    #[error("no room for {what}: the budget of {limit} is used up")]
    Full { what: &'static str, limit: usize },
}
