//! Profiles to a request that keeps the conformance rules of [`crate::validate`].

mod dictionary;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use infrared_profile::{Profile, Sample, Series};

use crate::attributes;
use crate::proto::collector::ExportProfilesServiceRequest;
use crate::proto::common::{AnyValue, InstrumentationScope, KeyValue};
use crate::proto::profiles as otlp;
use crate::proto::resource::Resource;
use dictionary::{Dictionary, Remap};

/// Attributes of a resource, by name.
type ResourceLabels<'p> = BTreeMap<&'p str, &'p str>;

/// The request for `profiles`: one resource per set of labels that describe a process, one OTLP profile per profile,
/// resource and shape of sample. Samples of value 0 are left out.
///
/// A sample whose times are one per unit of value is sent as times, any other as one value without times. A window grows
/// to hold all its times.
pub fn to_otlp(profiles: &[Profile]) -> ExportProfilesServiceRequest {
    let mut dictionary = Dictionary::default();
    let mut resources: IndexMap<ResourceLabels<'_>, Vec<otlp::Profile>> = IndexMap::new();
    for profile in profiles {
        let mut remap = Remap::new(profile);
        let window = window(profile);
        for (labels, samples) in by_resource(profile) {
            let messages = resources.entry(labels).or_default();
            let (timed, summed): (Vec<&Sample>, Vec<&Sample>) =
                samples.into_iter().partition(|sample| is_timed(sample));
            for part in [timed, summed].into_iter().filter(|part| !part.is_empty()) {
                messages.push(message(window, &part, &mut remap, &mut dictionary));
            }
        }
    }
    ExportProfilesServiceRequest {
        resource_profiles: resources.into_iter().map(resource_profiles).collect(),
        dictionary: Some(dictionary.into_message()),
    }
}

/// Whether the times say all; the last nanosecond of the epoch is in no window, as its end is exclusive.
fn is_timed(sample: &Sample) -> bool {
    let times = &sample.timestamps_ns;
    !times.is_empty() && times.len() as u64 == sample.value && !times.contains(&u64::MAX)
}

/// Start and duration that hold every time that is sent.
fn window(profile: &Profile) -> (u64, u64) {
    let end = profile.start_ns.saturating_add(profile.duration_ns);
    let timed = profile.samples.iter().filter(|sample| is_timed(sample));
    let all = timed.flat_map(|sample| &sample.timestamps_ns);
    let (start, end) = all.fold((profile.start_ns, end), |(start, end), &time| {
        // the end is exclusive
        (start.min(time), end.max(time.saturating_add(1)))
    });
    (start, end - start)
}

/// Samples that count, by what describes their process.
fn by_resource(profile: &Profile) -> Vec<(ResourceLabels<'_>, Vec<&Sample>)> {
    let mut groups: IndexMap<ResourceLabels<'_>, Vec<&Sample>> = IndexMap::new();
    let group_of: Vec<usize> = profile
        .series
        .iter()
        .map(|labels| groups.insert_full(resource_labels(labels), Vec::new()).0)
        .collect();
    for sample in profile.samples.iter().filter(|sample| sample.value > 0) {
        let group = group_of.get(sample.series.0 as usize);
        if let Some((_, samples)) = group.and_then(|&group| groups.get_index_mut(group)) {
            samples.push(sample);
        }
    }
    groups.into_iter().filter(|(_, samples)| !samples.is_empty()).collect()
}

fn resource_labels(labels: &Series) -> ResourceLabels<'_> {
    let of_resource = labels.iter().filter(|(key, _)| !attributes::is_of_sample(key));
    of_resource.map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

fn message(
    (start_ns, duration_ns): (u64, u64),
    samples: &[&Sample],
    remap: &mut Remap<'_>,
    dictionary: &mut Dictionary,
) -> otlp::Profile {
    let profile = remap.from;
    let sample_type = dictionary.value_type(&profile.value_type.kind, &profile.value_type.unit);
    let period_type = (profile.period_ns > 0).then(|| dictionary.value_type("cpu", "nanoseconds"));
    let samples = samples.iter().map(|sample| {
        let timed = is_timed(sample);
        otlp::Sample {
            stack_index: remap.stack(sample.stack, dictionary),
            attribute_indices: remap.sample_attributes(sample.series, dictionary),
            link_index: 0,
            values: if timed { Vec::new() } else { vec![signed(sample.value)] },
            timestamps_unix_nano: if timed { sample.timestamps_ns.clone() } else { Vec::new() },
        }
    });
    otlp::Profile {
        samples: samples.collect(),
        sample_type: Some(sample_type),
        time_unix_nano: start_ns,
        duration_nano: duration_ns,
        period_type,
        period: signed(profile.period_ns),
        ..otlp::Profile::default()
    }
}

fn resource_profiles(
    (labels, profiles): (ResourceLabels<'_>, Vec<otlp::Profile>),
) -> otlp::ResourceProfiles {
    let attributes = labels.into_iter().map(|(key, text)| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(attributes::value_of(key, text)) }),
        ..KeyValue::default()
    });
    let scope = InstrumentationScope {
        name: "infrared".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    };
    otlp::ResourceProfiles {
        resource: Some(Resource { attributes: attributes.collect(), ..Resource::default() }),
        scope_profiles: vec![otlp::ScopeProfiles {
            scope: Some(scope),
            profiles,
            ..otlp::ScopeProfiles::default()
        }],
        ..otlp::ResourceProfiles::default()
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
