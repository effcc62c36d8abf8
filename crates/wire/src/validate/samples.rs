//! The rules for profiles and their samples.

use super::references::{Referenced, Table};
use super::{Rule, Violations};
use crate::proto::profiles as otlp;

pub(super) fn check(
    profile: &otlp::Profile,
    at: &str,
    referenced: &mut Referenced<'_>,
    found: &mut Violations,
) {
    for of in profile.sample_type.iter().chain(&profile.period_type) {
        referenced.string(of.type_strindex, at, found);
        referenced.string(of.unit_strindex, at, found);
    }
    referenced.attributes(&profile.attribute_indices, at, found);
    let shape =
        |sample: &otlp::Sample| (sample.values.is_empty(), sample.timestamps_unix_nano.is_empty());
    let first = profile.samples.first().map(shape);
    for (index, sample) in profile.samples.iter().enumerate() {
        let at = format!("{at}.samples[{index}]");
        referenced.mark(Table::Stack, sample.stack_index, &at, found);
        referenced.mark(Table::Link, sample.link_index, &at, found);
        referenced.attributes(&sample.attribute_indices, &at, found);
        if Some(shape(sample)) != first {
            found.add(Rule::MixedShapes, || at.clone());
        }
        if !is_well_shaped(sample) {
            found.add(Rule::SampleShape, || at.clone());
        }
        let offset = |time: &u64| time.checked_sub(profile.time_unix_nano);
        let inside = |time: &u64| offset(time).is_some_and(|ns| ns < profile.duration_nano);
        if !sample.timestamps_unix_nano.iter().all(inside) {
            found.add(Rule::TimeWindow, || at.clone());
        }
    }
}

fn is_well_shaped(sample: &otlp::Sample) -> bool {
    match (sample.values.len(), sample.timestamps_unix_nano.len()) {
        (0, times) => times > 0,
        (values, 0) => values == 1,
        (values, times) => values == times,
    }
}
