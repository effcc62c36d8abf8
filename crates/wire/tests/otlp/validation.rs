use infrared_wire::proto::collector::ExportProfilesServiceRequest;
use infrared_wire::proto::profiles as otlp;
use infrared_wire::{Rule, validate};

use crate::messages::{attribute, dictionary, profile, request, sample};

fn good() -> ExportProfilesServiceRequest {
    request(vec![profile(vec![sample(&[1], &[])])])
}

type Change = fn(&mut otlp::Profile, &mut otlp::ProfilesDictionary);

/// Changes to a conforming request, each with the one rule that it breaks.
const CHANGES: [(Rule, Change); 18] = [
    (Rule::ZeroElement, |_, d| d.link_table.clear()),
    (Rule::ZeroElement, |_, d| d.mapping_table[0].memory_limit = 1),
    (Rule::Duplicate, |_, d| d.string_table.push("cpu".into())),
    (Rule::Duplicate, |_, d| d.location_table.push(dictionary().location_table[1].clone())),
    (Rule::Duplicate, |_, d| d.stack_table.push(otlp::Stack::default())),
    (Rule::Unreferenced, |_, d| d.string_table.push("new".into())),
    (Rule::Unreferenced, |_, d| d.stack_table.push(otlp::Stack { location_indices: vec![2] })),
    (Rule::Unreferenced, |_, d| d.attribute_table.push(attribute(7, "other"))),
    (Rule::IndexRange, |p, _| p.samples[0].link_index = 1),
    (Rule::IndexRange, |p, _| p.attribute_indices.push(-1)),
    (Rule::MixedShapes, |p, _| p.samples.push(sample(&[], &[1001]))),
    (Rule::SampleShape, |p, _| p.samples[0].values.clear()),
    (Rule::SampleShape, |p, _| p.samples[0].values.push(1)),
    (Rule::TimeWindow, |p, _| p.samples[0].timestamps_unix_nano.push(999)),
    (Rule::TimeWindow, |p, _| p.samples[0].timestamps_unix_nano.push(1500)),
    (Rule::DuplicateKey, |p, _| p.samples[0].attribute_indices.push(2)),
    (Rule::LinkLength, |p, d| {
        d.link_table.push(otlp::Link { trace_id: vec![1; 16], span_id: vec![1; 7] });
        p.samples[0].link_index = 1;
    }),
    (Rule::MappingRange, |_, d| d.mapping_table[1].memory_start = 8),
];

#[test]
fn a_request_made_by_hand_conforms() {
    assert_eq!(validate(&good()), []);
}

#[test]
fn each_rule_is_found_when_it_is_broken() {
    for (number, (rule, change)) in CHANGES.into_iter().enumerate() {
        let mut request = good();
        let profile = &mut request.resource_profiles[0].scope_profiles[0].profiles[0];
        change(profile, request.dictionary.as_mut().unwrap());
        let rules: Vec<_> =
            validate(&request).into_iter().map(|violation| violation.rule).collect();
        assert!(rules.contains(&rule), "case {number}: {rules:?} lacks {rule:?}");
    }
}

#[test]
fn a_resource_has_no_key_twice() {
    let mut request = good();
    let resource = request.resource_profiles[0].resource.as_mut().unwrap();
    resource.attributes.push(resource.attributes[0].clone());
    let violations = validate(&request);
    assert_eq!(violations.len(), 1);
    assert_eq!(
        (violations[0].rule, &*violations[0].at),
        (Rule::DuplicateKey, "resource_profiles[0]: service.name")
    );
}

#[test]
fn the_number_of_violations_is_bounded() {
    let samples = vec![sample(&[], &[]); 5000];
    assert_eq!(validate(&request(vec![profile(samples)])).len(), 1000);
}
