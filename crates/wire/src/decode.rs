//! A request of any OTLP profiler to profiles. Strict with what would corrupt data, lenient with style.
//!
//! Not kept: links to spans, attributes of profiles and scopes, and attributes that are no text, number or boolean.

mod series;
mod tables;

use std::collections::HashMap;

use indexmap::IndexMap;
use infrared_profile::{Builder, Profile, ValueType};

use crate::proto::collector::ExportProfilesServiceRequest;
use crate::proto::profiles as otlp;
use crate::{Limits, WireError};
use series::ResourceLabels;
use tables::{Tables, Target};

/// What makes one profile of several messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    value_type: ValueType,
    start_ns: u64,
    duration_ns: u64,
    period_ns: u64,
}

/// The profiles in `request`: one per value type, window and period, over all resources.
///
/// A sample with times and no values counts 1 per time; several values of a sample add up. The first error refuses all.
pub fn from_otlp(
    request: &ExportProfilesServiceRequest,
    limits: &Limits,
) -> Result<Vec<Profile>, WireError> {
    let empty = otlp::ProfilesDictionary::default();
    let tables = Tables::new(request.dictionary.as_ref().unwrap_or(&empty), limits)?;
    let mut targets: IndexMap<Key, Target> = IndexMap::new();
    let mut finished_cost = Cost { spent: 0, limit: limits.profile_bytes };
    for resource in &request.resource_profiles {
        let labels = ResourceLabels::new(resource.resource.as_ref(), &tables)?;
        for message in resource.scope_profiles.iter().flat_map(|scope| &scope.profiles) {
            let key = key(message, &tables)?;
            if !targets.contains_key(&key) && targets.len() >= limits.profiles {
                return Err(WireError::Limit {
                    what: "number of profiles",
                    limit: limits.profiles,
                });
            }
            let target = targets.entry(key.clone()).or_insert_with(|| {
                let period_ns = key.period_ns;
                Target::new(Builder::new(key.value_type, key.start_ns, period_ns))
            });
            add_message(message, &labels, &tables, target, &mut finished_cost)?;
        }
    }
    Ok(targets.into_iter().map(|(key, target)| target.builder.finish(key.duration_ns)).collect())
}

/// Memory that the profiles take so far.
struct Cost {
    spent: usize,
    limit: usize,
}

impl Cost {
    fn add(&mut self, bytes: usize) -> Result<(), WireError> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > self.limit {
            return Err(WireError::Limit { what: "memory of the profiles", limit: self.limit });
        }
        Ok(())
    }
}

fn key(message: &otlp::Profile, tables: &Tables<'_>) -> Result<Key, WireError> {
    let text = |of: otlp::ValueType| -> Result<ValueType, WireError> {
        let kind = tables.string(of.type_strindex)?.to_owned();
        Ok(ValueType { kind, unit: tables.string(of.unit_strindex)?.to_owned() })
    };
    let period_unit = text(message.period_type.unwrap_or_default())?.unit;
    let period = u64::try_from(message.period).map_err(|_| WireError::Negative)?;
    Ok(Key {
        value_type: text(message.sample_type.unwrap_or_default())?,
        start_ns: message.time_unix_nano,
        duration_ns: message.duration_nano,
        period_ns: if period_unit == "nanoseconds" { period } else { 0 },
    })
}

fn add_message(
    message: &otlp::Profile,
    labels: &ResourceLabels,
    tables: &Tables<'_>,
    target: &mut Target,
    cost: &mut Cost,
) -> Result<(), WireError> {
    // series are of this resource: their cache ends with the message
    let mut known_series = HashMap::new();
    for sample in &message.samples {
        let before = target.builder.cost_bytes();
        let value = value_of(sample)?;
        target.total = target.total.checked_add(value).ok_or(WireError::Overflow)?;
        let stack = tables.stack(sample.stack_index, target)?;
        let own = &*sample.attribute_indices;
        let series = if let Some(&known) = known_series.get(own) {
            known
        } else {
            let series = target.builder.series(labels.with(own, tables)?);
            known_series.insert(own, series);
            series
        };
        target.builder.add_times(series, stack, value, &sample.timestamps_unix_nano);
        cost.add(target.builder.cost_bytes() - before)?;
    }
    Ok(())
}

/// The value of a sample in any of its three shapes.
fn value_of(sample: &otlp::Sample) -> Result<u64, WireError> {
    let (values, timestamps) = (sample.values.len(), sample.timestamps_unix_nano.len());
    match (values, timestamps) {
        // before 1.10 the values were in the field of the attributes
        (0, 0) if !sample.attribute_indices.is_empty() => Err(WireError::OldProtocol),
        (0, 0) => Err(WireError::EmptySample),
        (0, _) if looks_old(sample) => Err(WireError::OldProtocol),
        (0, count) => Ok(count as u64),
        (_, count) if count > 0 && count != values => Err(WireError::Shape { values, timestamps }),
        _ => sample.values.iter().try_fold(0_u64, |sum, &value| {
            let value = u64::try_from(value).map_err(|_| WireError::Negative)?;
            sum.checked_add(value).ok_or(WireError::Overflow)
        }),
    }
}

/// Before 1.10 a sample had one value per time, in the field that has the attributes now: as many as times, and the same
/// number again and again, where no attribute may come twice.
fn looks_old(sample: &otlp::Sample) -> bool {
    let indices = &sample.attribute_indices;
    indices.len() == sample.timestamps_unix_nano.len()
        && indices.len() > 1
        && indices.iter().all(|index| *index == indices[0])
}
