//! The sampling timer: one perf event a CPU, with the sampler attached.

use std::{
    collections::BTreeMap,
    fs, io,
    os::fd::{AsRawFd, IntoRawFd, OwnedFd},
};

use libbpf_rs::{Link, ProgramMut};
use perf_event_open_sys::bindings;

use crate::{error::KernelError, perf::open_on_cpu};

/// What drives the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Hardware CPU cycles, in frequency mode.
    Cycles,
    /// The kernel's timer: machines without a PMU.
    CpuClock,
}

impl Clock {
    pub fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cpu-cycles",
            Self::CpuClock => "cpu-clock",
        }
    }
}

/// Which CPUs are sampled, by what, and which failed.
#[derive(Clone, Debug)]
pub struct SamplerReport {
    pub clock: Clock,
    pub cpus: Vec<u32>,
    /// CPU and the error of its event.
    pub failed: Vec<(u32, String)>,
}

/// The events of all online CPUs.
#[derive(Debug)]
pub(crate) struct Sampler {
    clock: Clock,
    frequency_hz: u64,
    /// The link closes the event's descriptor.
    events: BTreeMap<u32, Link>,
    failed: BTreeMap<u32, io::Error>,
}

impl Sampler {
    /// Starts on every online CPU. Fails only if no CPU works.
    pub(crate) fn start(program: &ProgramMut<'_>, frequency_hz: u64) -> Result<Self, KernelError> {
        let cpus = online_cpus()?;
        let clock =
            if cpus.first().is_some_and(|cpu| open(Clock::Cycles, frequency_hz, *cpu).is_ok()) {
                Clock::Cycles
            } else {
                Clock::CpuClock
            };
        let mut sampler =
            Self { clock, frequency_hz, events: BTreeMap::new(), failed: BTreeMap::new() };
        sampler.follow(program, &cpus);
        if sampler.events.is_empty() {
            let source = sampler
                .failed
                .into_values()
                .next()
                .unwrap_or_else(|| io::Error::other("no CPU is online"));
            return Err(KernelError::Perf { source });
        }
        Ok(sampler)
    }

    /// Follows CPUs that came or went. Returns whether any did.
    pub(crate) fn follow_hotplug(&mut self, program: &ProgramMut<'_>) -> Result<bool, KernelError> {
        let cpus = online_cpus()?;
        let same =
            cpus.len() == self.events.len() && cpus.iter().all(|cpu| self.events.contains_key(cpu));
        if !same {
            self.follow(program, &cpus);
        }
        Ok(!same)
    }

    fn follow(&mut self, program: &ProgramMut<'_>, cpus: &[u32]) {
        self.events.retain(|cpu, _| cpus.contains(cpu));
        self.failed.clear();
        for cpu in cpus {
            if self.events.contains_key(cpu) {
                continue;
            }
            let attached = open(self.clock, self.frequency_hz, *cpu).and_then(|fd| {
                let link = program.attach_perf_event(fd.as_raw_fd()).map_err(io::Error::other)?;
                // From here on the descriptor is the link's to close.
                let _raw_fd = fd.into_raw_fd();
                Ok(link)
            });
            match attached {
                Ok(link) => {
                    self.events.insert(*cpu, link);
                }
                Err(error) => {
                    tracing::warn!(cpu, %error, "cannot sample this CPU");
                    self.failed.insert(*cpu, error);
                }
            }
        }
    }

    pub(crate) fn report(&self) -> SamplerReport {
        SamplerReport {
            clock: self.clock,
            cpus: self.events.keys().copied().collect(),
            failed: self.failed.iter().map(|(cpu, error)| (*cpu, error.to_string())).collect(),
        }
    }
}

fn open(clock: Clock, frequency_hz: u64, cpu: u32) -> io::Result<OwnedFd> {
    let (kind, config) = match clock {
        Clock::Cycles => (bindings::PERF_TYPE_HARDWARE, bindings::PERF_COUNT_HW_CPU_CYCLES),
        Clock::CpuClock => (bindings::PERF_TYPE_SOFTWARE, bindings::PERF_COUNT_SW_CPU_CLOCK),
    };
    let mut attr = bindings::perf_event_attr::default();
    attr.type_ = kind;
    attr.config = config.into();
    attr.__bindgen_anon_1.sample_freq = frequency_hz;
    attr.set_freq(1);
    attr.set_exclude_idle(1);
    open_on_cpu(&mut attr, cpu)
}

fn online_cpus() -> Result<Vec<u32>, KernelError> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").map_err(KernelError::Cpus)?;
    parse_cpu_list(text.trim())
        .ok_or_else(|| KernelError::Cpus(io::Error::other(format!("not a list of CPUs: {text:?}"))))
}

/// `0-3,8,10-11` as the kernel writes it.
fn parse_cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last < first || last > 65_536 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::parse_cpu_list;

    #[test]
    fn cpu_lists_are_ranges_and_single_numbers() {
        for (text, cpus) in [
            ("0", Some(vec![0])),
            ("0-2,5", Some(vec![0, 1, 2, 5])),
            ("", Some(vec![])),
            ("2-1", None),
            ("x", None),
            ("0-9999999", None),
        ] {
            assert_eq!(parse_cpu_list(text), cpus, "{text}");
        }
    }
}
