//! Gathers the windows of a recording into one profile, within a bound of memory.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use infrared_agent::{ProfileSink, SinkError};
use infrared_profile::{Profile, Sample, Series, ValueType, labels, merge::Merger};

/// Memory that the profile may take; a recording that needs more ends early.
const LIMIT_BYTES: usize = 1 << 30;
/// Services that are remembered for the message about an empty result.
const MOST_SERVICES: usize = 1000;

/// What is kept of the windows.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Only these services; all if empty.
    pub(super) services: Vec<String>,
    /// Only these values of labels: of one label any, of several all.
    pub(super) labels: Vec<(String, String)>,
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

impl Wanted {
    fn has(&self, series: &Series) -> bool {
        let services = &self.services;
        let service = series.get(labels::SERVICE);
        let is_service =
            services.is_empty() || service.is_some_and(|service| services.contains(service));
        is_service
            && self.labels.iter().all(|(name, _)| {
                let mut values = self.labels.iter().filter(|(other, _)| other == name);
                series.get(name).is_some_and(|is| values.any(|(_, value)| value == is))
            })
    }
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
        let wanted = &self.wanted;
        let is_wanted = |profile: &Profile, sample: &Sample| {
            profile.series(sample.series).is_some_and(|series| wanted.has(series))
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
    use infrared_profile::Builder;

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
        Collector::new(Wanted { services, labels: Vec::new(), times, period_ns: 10 })
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
    fn of_one_label_any_value_is_wanted_and_of_several_labels_all() {
        let series = |thread: &str, pid: &str| {
            let labels = [(labels::THREAD_NAME, thread), (labels::PID, pid)];
            labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
        };
        let wanted = |labels: &[(&str, &str)]| Wanted {
            services: Vec::new(),
            labels: labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            times: false,
            period_ns: 10,
        };
        let (main, worker): (Series, Series) = (series("main", "1"), series("worker", "1"));
        for (labels, expected) in [
            (&[][..], [true, true]),
            (&[(labels::THREAD_NAME, "main")], [true, false]),
            (&[(labels::THREAD_NAME, "main"), (labels::THREAD_NAME, "worker")], [true, true]),
            (&[(labels::THREAD_NAME, "main"), (labels::PID, "2")], [false, false]),
            (&[("no such", "main")], [false, false]),
        ] {
            let wanted = wanted(labels);
            assert_eq!([wanted.has(&main), wanted.has(&worker)], expected, "{labels:?}");
        }
    }

    #[test]
    fn a_recording_without_windows_is_a_valid_profile() {
        let profile = collector(&[], false).take().profile;
        assert_eq!((profile.total(), profile.period_ns), (0, 10));
        assert_eq!(profile.value_type, ValueType::cpu_samples());
    }
}
