//! Gathers the windows of a recording into one profile, within a bound of memory.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use infrared_agent::{ProfileSink, SinkError};
use infrared_profile::{Profile, Sample, ValueType, labels, merge::Merger};

/// Memory that the profile may take; a recording that needs more ends early.
const LIMIT_BYTES: usize = 1 << 30;
/// Services that are remembered for the message about an empty result.
const MOST_SERVICES: usize = 1000;

/// What is kept of the windows.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Only these services; all if empty.
    pub(super) services: Vec<String>,
    /// When each sample was taken.
    pub(super) times: bool,
    /// Nanoseconds that a sample stands for.
    pub(super) period_ns: u64,
}

#[derive(Debug)]
struct State {
    wanted: Wanted,
    merger: Merger,
    services_seen: BTreeSet<String>,
    is_full: bool,
}

/// The sink of a recording's agent. Clones share what they gather.
#[derive(Clone, Debug)]
pub(super) struct Collector(Arc<Mutex<State>>);

/// What was recorded.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) profile: Profile,
    /// Services that had samples, wanted or not; only some if there were very many.
    pub(super) services_seen: BTreeSet<String>,
}

impl Collector {
    pub(super) fn new(wanted: Wanted) -> Self {
        let merger = Merger::new(ValueType::cpu_samples(), wanted.period_ns);
        let services_seen = BTreeSet::new();
        Self(Arc::new(Mutex::new(State { wanted, merger, services_seen, is_full: false })))
    }

    /// Whether the bound of memory is reached: what comes now is refused.
    pub(super) fn is_full(&self) -> bool {
        self.lock().is_full
    }

    /// Everything so far; the collector is empty afterwards.
    pub(super) fn take(&self) -> Recorded {
        let mut state = self.lock();
        let empty = Merger::new(ValueType::cpu_samples(), state.wanted.period_ns);
        Recorded {
            profile: std::mem::replace(&mut state.merger, empty).finish(),
            services_seen: std::mem::take(&mut state.services_seen),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProfileSink for Collector {
    fn deliver(&mut self, window: Vec<Profile>) -> Result<(), SinkError> {
        let mut state = self.lock();
        for profile in window {
            if profile.value_type == ValueType::cpu_samples() {
                state.add(profile)?;
            }
        }
        Ok(())
    }
}

impl State {
    fn add(&mut self, mut profile: Profile) -> Result<(), SinkError> {
        if self.is_full {
            return Err(SinkError::Refused("the recording has grown too large".into()));
        }
        if !self.wanted.times {
            for sample in &mut profile.samples {
                sample.timestamps_ns = Vec::new();
            }
        }
        for series in profile.series.iter() {
            if let Some(service) = series.get(labels::SERVICE)
                && self.services_seen.len() < MOST_SERVICES
            {
                self.services_seen.insert(service.clone());
            }
        }
        let services = &self.wanted.services;
        let is_wanted = |profile: &Profile, sample: &Sample| {
            let service = profile.series(sample.series).and_then(|s| s.get(labels::SERVICE));
            services.is_empty() || service.is_some_and(|service| services.contains(service))
        };
        self.merger
            .add(&profile, is_wanted)
            .map_err(|error| SinkError::Refused(error.to_string()))?;
        self.is_full = self.merger.cost_bytes() > LIMIT_BYTES;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infrared_profile::{Builder, Series};

    fn window(start_ns: u64, services: &[&str]) -> Vec<Profile> {
        let mut builder = Builder::new(ValueType::cpu_samples(), start_ns, 10);
        for service in services {
            let series = Series::from([(labels::SERVICE.to_owned(), (*service).to_owned())]);
            let (series, stack) = (builder.series(series), builder.stack(&[]));
            builder.add_times(series, stack, 2, &[start_ns, start_ns + 1]);
        }
        let events = Builder::new(ValueType::events(), start_ns, 0).finish(10);
        vec![builder.finish(10), events]
    }

    fn collector(services: &[&str], times: bool) -> Collector {
        let services = services.iter().map(|&service| service.to_owned()).collect();
        Collector::new(Wanted { services, times, period_ns: 10 })
    }

    #[test]
    fn windows_become_one_profile() {
        let mut collector = collector(&[], true);
        collector.deliver(window(100, &["a", "b"])).unwrap();
        collector.deliver(window(110, &["a"])).unwrap();
        let profile = collector.take().profile;
        assert_eq!((profile.total(), profile.start_ns, profile.duration_ns), (6, 100, 20));
        assert_eq!(profile.samples[0].timestamps_ns, [100, 101, 110, 111]);
    }

    #[test]
    fn only_the_wanted_services_stay_but_all_are_known() {
        let mut collector = collector(&["b"], false);
        collector.deliver(window(100, &["a", "b"])).unwrap();
        let recorded = collector.take();
        assert_eq!(recorded.profile.total(), 2);
        assert!(recorded.profile.samples[0].timestamps_ns.is_empty());
        assert_eq!(Vec::from_iter(recorded.services_seen), ["a", "b"]);
    }

    #[test]
    fn a_recording_without_windows_is_a_valid_profile() {
        let profile = collector(&[], false).take().profile;
        assert_eq!((profile.total(), profile.period_ns), (0, 10));
        assert_eq!(profile.value_type, ValueType::cpu_samples());
    }
}
