use infrared_wire::proto::collector::ExportProfilesServiceRequest;
use infrared_wire::proto::common::any_value::Value;
use infrared_wire::proto::profiles as otlp;
use infrared_wire::{Limits, WireError, decode_request, from_otlp, to_otlp};
use proptest::prelude::*;
use prost::Message;

use crate::messages::{profile, request, resource, sample};
use crate::profiles::any_profile;

fn good() -> ExportProfilesServiceRequest {
    request(vec![profile(vec![sample(&[1], &[])])])
}

fn refused(request: &ExportProfilesServiceRequest, limits: &Limits) -> WireError {
    from_otlp(request, limits).unwrap_err()
}

type Change = fn(&mut otlp::Profile, &mut otlp::ProfilesDictionary);

/// Changes to a good request, each of which makes an index point outside of its table.
const BAD_INDICES: [(&str, Change); 12] = [
    ("stack", |p, _| p.samples[0].stack_index = 2),
    ("stack", |p, _| p.samples[0].stack_index = -1),
    ("attribute", |p, _| p.samples[0].attribute_indices = vec![3]),
    ("string", |p, _| p.sample_type.as_mut().unwrap().type_strindex = 99),
    ("string", |p, _| p.period_type.as_mut().unwrap().unit_strindex = i32::MIN),
    ("location", |_, d| d.stack_table[1].location_indices = vec![i32::MAX]),
    ("function", |_, d| d.location_table[1].lines[0].function_index = 2),
    ("mapping", |_, d| d.location_table[1].mapping_index = -7),
    ("attribute", |_, d| d.location_table[1].attribute_indices = vec![55]),
    ("attribute", |_, d| d.mapping_table[1].attribute_indices = vec![-1]),
    ("string", |_, d| d.function_table[1].name_strindex = 9),
    ("string", |_, d| d.attribute_table[2].key_strindex = 9),
];

#[test]
fn an_index_outside_of_its_table_is_named() {
    for (number, (table, change)) in BAD_INDICES.into_iter().enumerate() {
        let mut request = good();
        let profile = &mut request.resource_profiles[0].scope_profiles[0].profiles[0];
        change(profile, request.dictionary.as_mut().unwrap());
        match refused(&request, &Limits::default()) {
            WireError::Index { table: named, .. } => assert_eq!(named, table, "case {number}"),
            other => panic!("case {number}: {other}"),
        }
    }
}

#[test]
fn every_limit_is_kept() {
    let deep = {
        let mut request = good();
        request.dictionary.as_mut().unwrap().stack_table[1].location_indices = vec![1; 100];
        request
    };
    let labelled = {
        let mut request = good();
        let labels: Vec<_> = (0..100).map(|i| format!("label {i}")).collect();
        let labels: Vec<_> =
            labels.iter().map(|key| (key.as_str(), Value::StringValue("x".repeat(50)))).collect();
        request.resource_profiles[0].resource = Some(resource(&labels));
        request
    };
    let inlined = {
        let mut request = good();
        let line = otlp::Line { function_index: 1, ..Default::default() };
        request.dictionary.as_mut().unwrap().location_table[1].lines = vec![line; 100];
        request
    };
    let many =
        request((0..100).map(|i| otlp::Profile { time_unix_nano: i, ..profile(vec![]) }).collect());
    let attributes = {
        let mut sample = sample(&[1], &[]);
        sample.attribute_indices = vec![2; 100];
        request(vec![profile(vec![sample])])
    };
    let limits = Limits::default();
    let cases = [
        ("depth of a stack", &deep, Limits { stack_depth: 99, ..limits }),
        ("number of labels", &labelled, Limits { labels: 99, ..limits }),
        ("number of labels", &attributes, Limits { labels: 99, ..limits }),
        ("size of labels", &labelled, Limits { series_bytes: 5000, ..limits }),
        ("inlined functions", &inlined, Limits { lines: 99, ..limits }),
        ("number of profiles", &many, Limits { profiles: 99, ..limits }),
        ("length of a string", &deep, Limits { string_bytes: 10, ..limits }),
        ("memory of the profiles", &deep, Limits { profile_bytes: 500, ..limits }),
    ];
    for (what, request, limits) in cases {
        assert!(from_otlp(request, &Limits::default()).is_ok(), "{what}");
        match refused(request, &limits) {
            WireError::Limit { what: named, .. } => assert_eq!(named, what),
            other => panic!("{what}: {other}"),
        }
    }
}

#[test]
fn one_long_stack_in_many_profiles_is_bounded() {
    let mut request = request(
        (0..1000)
            .map(|i| otlp::Profile { time_unix_nano: i, ..profile(vec![sample(&[1], &[])]) })
            .collect(),
    );
    request.dictionary.as_mut().unwrap().stack_table[1].location_indices = vec![1; 4096];
    // 16 KiB for each of 1,000 profiles
    let limits = Limits { profile_bytes: 4 << 20, ..Limits::default() };
    let limit = WireError::Limit { what: "memory of the profiles", limit: 4 << 20 };
    assert_eq!(refused(&request, &limits), limit);
}

#[test]
fn a_body_that_grows_when_decoded_is_refused() {
    let limits = Limits { decoded_bytes: 1 << 20, ..Limits::default() };
    // a dictionary of empty locations: 2 bytes each
    let locations = [0x12, 0].repeat(100_000);
    let mut body = vec![0x12];
    prost::encoding::encode_varint(locations.len() as u64, &mut body);
    body.extend(locations);
    assert!(matches!(decode_request(&body, &limits), Err(WireError::TooMuch(_))));
    assert!(decode_request(&body, &Limits::default()).is_ok());
}

#[test]
fn nested_values_cannot_exhaust_the_stack() {
    let mut value = Vec::new();
    for _ in 0..100_000 {
        // any value {array {value}}
        let mut array = vec![0x0a];
        prost::encoding::encode_varint(value.len() as u64, &mut array);
        array.extend_from_slice(&value);
        if array.len() > 100_000 {
            break;
        }
        value = vec![0x2a];
        prost::encoding::encode_varint(array.len() as u64, &mut value);
        value.extend(array);
    }
    // dictionary {attribute {value}}
    let mut body = value;
    for key in [0x12, 0x32, 0x12] {
        let mut outer = vec![key];
        prost::encoding::encode_varint(body.len() as u64, &mut outer);
        outer.extend(body);
        body = outer;
    }
    assert!(matches!(decode_request(&body, &Limits::default()), Err(WireError::TooMuch(_))));
}

#[test]
fn garbage_is_no_request() {
    for body in [&b"{\"resourceProfiles\": []}"[..], &[0x0a, 9, 1], &[0xff; 40]] {
        assert!(decode_request(body, &Limits::default()).is_err());
    }
    assert!(decode_request(&[], &Limits::default()).is_ok());
}

proptest! {
    #[test]
    fn no_changed_body_makes_the_receiver_panic(
        profile in any_profile(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut body = to_otlp(&[profile]).encode_to_vec();
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        infrared_wire::fuzz_otlp(&body);
        infrared_wire::fuzz_otlp_validate(&body);
    }
}
