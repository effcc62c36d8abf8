//! The samples of opentelemetry-proto 1.9: other field numbers, the same package name.

use infrared_wire::{Limits, WireError, decode_request, from_otlp};
use prost::Message;

use crate::messages::dictionary;

#[derive(Clone, PartialEq, Message)]
struct OldRequest {
    #[prost(message, repeated, tag = "1")]
    resource_profiles: Vec<OldResourceProfiles>,
    #[prost(message, optional, tag = "2")]
    dictionary: Option<infrared_wire::proto::profiles::ProfilesDictionary>,
}

#[derive(Clone, PartialEq, Message)]
struct OldResourceProfiles {
    #[prost(message, repeated, tag = "2")]
    scope_profiles: Vec<OldScopeProfiles>,
}

#[derive(Clone, PartialEq, Message)]
struct OldScopeProfiles {
    #[prost(message, repeated, tag = "2")]
    profiles: Vec<OldProfile>,
}

#[derive(Clone, PartialEq, Message)]
struct OldProfile {
    #[prost(message, repeated, tag = "2")]
    samples: Vec<OldSample>,
}

#[derive(Clone, PartialEq, Message)]
struct OldSample {
    #[prost(int32, tag = "1")]
    stack_index: i32,
    #[prost(int64, repeated, tag = "2")]
    values: Vec<i64>,
    #[prost(int32, repeated, tag = "3")]
    attribute_indices: Vec<i32>,
    #[prost(int32, tag = "4")]
    link_index: i32,
    #[prost(fixed64, repeated, tag = "5")]
    timestamps_unix_nano: Vec<u64>,
}

fn received(sample: OldSample) -> Result<usize, WireError> {
    let profiles = vec![OldProfile { samples: vec![sample] }];
    let scope_profiles = vec![OldScopeProfiles { profiles }];
    let resource_profiles = vec![OldResourceProfiles { scope_profiles }];
    let old = OldRequest { resource_profiles, dictionary: Some(dictionary()) };
    let request = decode_request(&old.encode_to_vec(), &Limits::default())?;
    from_otlp(&request, &Limits::default()).map(|profiles| profiles.len())
}

#[test]
fn samples_of_the_old_protocol_are_refused_by_name() {
    let cases = [
        (
            "attributes",
            OldSample { values: vec![1], attribute_indices: vec![1], ..Default::default() },
        ),
        ("values alone", OldSample { stack_index: 1, values: vec![700], ..Default::default() }),
        (
            "a value per time",
            OldSample {
                values: vec![1, 1],
                timestamps_unix_nano: vec![1001, 1002],
                ..Default::default()
            },
        ),
    ];
    for (what, sample) in cases {
        assert_eq!(received(sample), Err(WireError::OldProtocol), "{what}");
    }
    let message = WireError::OldProtocol.to_string();
    assert!(message.contains("opentelemetry-proto 1.9 or older"), "{message}");
}
