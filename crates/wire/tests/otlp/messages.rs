//! Requests to test with, made by hand.

use infrared_wire::proto::collector::ExportProfilesServiceRequest;
use infrared_wire::proto::common::any_value::Value;
use infrared_wire::proto::common::{AnyValue, KeyValue};
use infrared_wire::proto::profiles as otlp;
use infrared_wire::proto::resource::Resource;

pub(crate) const STRINGS: [&str; 9] = [
    "",
    "samples",
    "count",
    "cpu",
    "nanoseconds",
    "profile.frame.type",
    "kernel",
    "thread.name",
    "/usr/bin/shop",
];

pub(crate) fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(value.to_owned())) }
}

pub(crate) fn attribute(key_strindex: i32, value: &str) -> otlp::KeyValueAndUnit {
    otlp::KeyValueAndUnit { key_strindex, value: Some(text(value)), unit_strindex: 0 }
}

/// Stack 1 is a kernel location called by one without symbols; attribute 2 is a thread's name.
pub(crate) fn dictionary() -> otlp::ProfilesDictionary {
    let unnamed = otlp::Location { mapping_index: 1, address: 0x40, ..Default::default() };
    let kernel = otlp::Location {
        lines: vec![otlp::Line { function_index: 1, line: 3, column: 0 }],
        attribute_indices: vec![1],
        ..Default::default()
    };
    otlp::ProfilesDictionary {
        mapping_table: vec![
            otlp::Mapping::default(),
            otlp::Mapping { filename_strindex: 8, ..Default::default() },
        ],
        location_table: vec![otlp::Location::default(), kernel, unnamed],
        function_table: vec![
            otlp::Function::default(),
            otlp::Function { name_strindex: 6, ..Default::default() },
        ],
        link_table: vec![otlp::Link::default()],
        string_table: STRINGS.map(str::to_owned).to_vec(),
        attribute_table: vec![
            otlp::KeyValueAndUnit::default(),
            attribute(5, "kernel"),
            attribute(7, "worker"),
        ],
        stack_table: vec![otlp::Stack::default(), otlp::Stack { location_indices: vec![1, 2] }],
    }
}

pub(crate) fn sample(values: &[i64], timestamps: &[u64]) -> otlp::Sample {
    otlp::Sample {
        stack_index: 1,
        attribute_indices: vec![2],
        link_index: 0,
        values: values.to_vec(),
        timestamps_unix_nano: timestamps.to_vec(),
    }
}

pub(crate) fn profile(samples: Vec<otlp::Sample>) -> otlp::Profile {
    otlp::Profile {
        samples,
        sample_type: Some(otlp::ValueType { type_strindex: 1, unit_strindex: 2 }),
        period_type: Some(otlp::ValueType { type_strindex: 3, unit_strindex: 4 }),
        period: 50,
        time_unix_nano: 1000,
        duration_nano: 500,
        ..Default::default()
    }
}

pub(crate) fn resource(attributes: &[(&str, Value)]) -> Resource {
    let attributes = attributes.iter().map(|(key, value)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(value.clone()) }),
        ..Default::default()
    });
    Resource { attributes: attributes.collect(), ..Default::default() }
}

pub(crate) fn request(profiles: Vec<otlp::Profile>) -> ExportProfilesServiceRequest {
    let service =
        [("service.name", Value::StringValue("shop".into())), ("process.pid", Value::IntValue(7))];
    ExportProfilesServiceRequest {
        resource_profiles: vec![otlp::ResourceProfiles {
            resource: Some(resource(&service)),
            scope_profiles: vec![otlp::ScopeProfiles { profiles, ..Default::default() }],
            ..Default::default()
        }],
        dictionary: Some(dictionary()),
    }
}
