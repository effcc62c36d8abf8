//! The sampling timer: one perf event a CPU, with the sampler attached.
//!
//! A timer and no hardware counter: its period is fixed, so that each sample stands for as much time
//! (docs/adr/0016-samples-weigh-time.md).

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsRawFd, IntoRawFd},
};

use libbpf_rs::{Link, ProgramMut};
use perf_event_open_sys::bindings;

use crate::{cpus::OnlineCpu, error::KernelError, perf::open_on_cpu};

/// The event that drives the samples, by perf's name.
pub const SAMPLING_EVENT: &str = "cpu-clock";

/// Which CPUs are sampled, and which failed.
#[derive(Clone, Debug)]
pub struct SamplerReport {
    pub cpus: Vec<u32>,
    /// CPU and the error of its event.
    pub failed: Vec<(u32, String)>,
    /// CPU and the error of its process events: forks, execs and mappings there are not heard of.
    pub unheard: Vec<(u32, String)>,
    /// Times that a CPU had gone and come back unseen: what it did for up to a second before that was seen is lost.
    pub restarted: u64,
}

/// The events of all online CPUs.
#[derive(Debug)]
pub(crate) struct Sampler {
    frequency_hz: u64,
    /// The link closes the event's descriptor.
    events: Events<Link>,
    failed: BTreeMap<u32, io::Error>,
}

/// What was opened on CPUs, and in which life of theirs.
#[derive(Debug)]
struct Events<E> {
    by_cpu: BTreeMap<u32, (u64, E)>,
    restarted: u64,
}

impl<E> Events<E> {
    /// Lets go of those whose CPU has left, or has done so meanwhile and is back. Returns whether there were any.
    fn let_go(&mut self, online: &[OnlineCpu]) -> bool {
        let before = self.by_cpu.len();
        let restarted = &mut self.restarted;
        self.by_cpu.retain(|cpu, (life, _)| {
            let now = online.binary_search_by_key(cpu, |online| online.number);
            let now = now.ok().map(|at| online[at].life);
            *restarted += u64::from(now.is_some_and(|now| now != *life));
            now == Some(*life)
        });
        self.by_cpu.len() != before
    }
}

impl Sampler {
    /// Starts on the online CPUs. Fails only if no CPU works.
    pub(crate) fn start(
        program: &ProgramMut<'_>,
        frequency_hz: u64,
        cpus: &[OnlineCpu],
    ) -> Result<Self, KernelError> {
        let events = Events { by_cpu: BTreeMap::new(), restarted: 0 };
        let mut sampler = Self { frequency_hz, events, failed: BTreeMap::new() };
        sampler.follow(program, cpus);
        if sampler.events.by_cpu.is_empty() {
            let source = sampler
                .failed
                .into_values()
                .next()
                .unwrap_or_else(|| io::Error::other("no CPU is online"));
            return Err(KernelError::Perf { source });
        }
        Ok(sampler)
    }

    /// Follows CPUs that came or went; those that failed are tried again. Returns whether others are sampled than before.
    pub(crate) fn follow(&mut self, program: &ProgramMut<'_>, cpus: &[OnlineCpu]) -> bool {
        let mut is_changed = self.events.let_go(cpus);
        self.failed.retain(|cpu, _| cpus.iter().any(|online| online.number == *cpu));
        for OnlineCpu { number: cpu, life } in cpus {
            if self.events.by_cpu.contains_key(cpu) {
                continue;
            }
            let attached = open_on_cpu(&mut attributes(self.frequency_hz), *cpu).and_then(|fd| {
                let link = program.attach_perf_event(fd.as_raw_fd()).map_err(io::Error::other)?;
                // From here on the descriptor is the link's to close.
                let _raw_fd = fd.into_raw_fd();
                Ok(link)
            });
            match attached {
                Ok(link) => {
                    self.failed.remove(cpu);
                    self.events.by_cpu.insert(*cpu, (*life, link));
                    is_changed = true;
                }
                Err(error) => {
                    if !self.failed.contains_key(cpu) {
                        tracing::warn!(cpu, %error, "cannot sample this CPU");
                    }
                    self.failed.insert(*cpu, error);
                }
            }
        }
        is_changed
    }

    pub(crate) fn report(&self) -> SamplerReport {
        SamplerReport {
            cpus: self.events.by_cpu.keys().copied().collect(),
            failed: self.failed.iter().map(|(cpu, error)| (*cpu, error.to_string())).collect(),
            unheard: Vec::new(),
            restarted: self.events.restarted,
        }
    }
}

/// The timer's event. The kernel makes a fixed period of the frequency once, when it opens the event: `perf_swevent_init_hrtimer`
/// in `kernel/events/core.c`.
pub(crate) fn attributes(frequency_hz: u64) -> bindings::perf_event_attr {
    let mut attr = bindings::perf_event_attr::default();
    attr.type_ = bindings::PERF_TYPE_SOFTWARE;
    attr.config = bindings::PERF_COUNT_SW_CPU_CLOCK.into();
    attr.__bindgen_anon_1.sample_freq = frequency_hz;
    attr.set_freq(1);
    attr.set_exclude_idle(1);
    attr
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_of_a_cpu_that_went_and_came_back_unseen_is_let_go_of_and_counted() {
        let cpu = |number, life| OnlineCpu { number, life };
        let by_cpu = [(0, (7, ())), (1, (8, ())), (2, (9, ()))].into();
        let mut events = Events { by_cpu, restarted: 0 };
        assert!(!events.let_go(&[cpu(0, 7), cpu(1, 8), cpu(2, 9), cpu(3, 1)]));
        assert!(events.let_go(&[cpu(0, 7), cpu(2, 12)]));
        assert_eq!((events.by_cpu.into_keys().collect::<Vec<_>>(), events.restarted), (vec![0], 1));
    }

    /// A counter in frequency mode would change its period, and a sample its meaning.
    #[test]
    fn samples_are_driven_by_time_on_every_machine() {
        let attr = attributes(99);
        let driver = (attr.type_, attr.config);
        assert_eq!(
            driver,
            (bindings::PERF_TYPE_SOFTWARE, bindings::PERF_COUNT_SW_CPU_CLOCK.into())
        );
        assert_eq!(attr.exclude_idle(), 1);
    }
}
