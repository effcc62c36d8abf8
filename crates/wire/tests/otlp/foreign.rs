use infrared_profile::{FrameKind, Profile, ValueType, frames};
use infrared_wire::proto::collector::ExportProfilesServiceRequest;
use infrared_wire::proto::common::ArrayValue;
use infrared_wire::proto::common::any_value::Value;
use infrared_wire::{Limits, WireError, from_otlp};

use crate::messages::{attribute, profile, request, resource, sample};

fn received(request: &ExportProfilesServiceRequest) -> Vec<Profile> {
    from_otlp(request, &Limits::default()).unwrap()
}

#[test]
fn samples_of_every_shape_have_a_value() {
    // values, times; value, number of times
    type Case = (&'static str, &'static [i64], &'static [u64], u64, usize);
    let cases: [Case; 5] = [
        ("times count 1 each", &[], &[1003, 1001, 1002], 3, 3),
        ("a value without times", &[9], &[], 9, 0),
        ("a value per time", &[4, 5], &[1001, 1002], 9, 2),
        ("several values add up", &[4, 5], &[], 9, 0),
        ("a value of zero", &[0], &[], 0, 0),
    ];
    for (what, values, timestamps, value, times) in cases {
        let profiles = received(&request(vec![profile(vec![sample(values, timestamps)])]));
        let got = &profiles[0].samples[0];
        assert_eq!((got.value, got.timestamps_ns.len()), (value, times), "{what}");
        assert!(got.timestamps_ns.is_sorted());
    }
}

#[test]
fn labels_are_those_of_the_resource_and_the_sample() {
    let profiles = received(&request(vec![profile(vec![sample(&[1], &[])])]));
    let series = profiles[0].series.iter().next().unwrap();
    let labels: Vec<_> = series.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let expected = [("process.pid", "7"), ("service.name", "shop"), ("thread.name", "worker")];
    assert_eq!(labels, expected);
}

#[test]
fn attributes_of_every_scalar_type_are_labels_and_others_are_not() {
    let mut request = request(vec![profile(vec![sample(&[1], &[])])]);
    request.resource_profiles[0].resource = Some(resource(&[
        ("a", Value::BoolValue(true)),
        ("b", Value::DoubleValue(0.5)),
        // the string of index 6 is "kernel"
        ("c", Value::StringValueStrindex(6)),
        ("d", Value::ArrayValue(ArrayValue::default())),
        ("e", Value::BytesValue(vec![1])),
    ]));
    let first = &mut request.resource_profiles[0].resource.as_mut().unwrap().attributes[0];
    (first.key, first.key_strindex) = (String::new(), 3);
    let profiles = received(&request);
    let series = profiles[0].series.iter().next().unwrap();
    let labels: Vec<_> = series.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(labels, [("b", "0.5"), ("c", "kernel"), ("cpu", "true"), ("thread.name", "worker")]);
}

#[test]
fn frames_without_symbols_are_called_by_module_and_address() {
    let profiles = received(&request(vec![profile(vec![sample(&[1], &[])])]));
    let stack = profiles[0].stacks.iter().next().unwrap();
    let frames: Vec<_> = frames::root_first(&profiles[0], stack).collect();
    assert_eq!((&*frames[0].name, frames[0].unnamed), ("shop+0x40", true));
    assert_eq!(
        (&*frames[1].name, frames[1].kind, frames[1].unnamed),
        ("kernel", FrameKind::Kernel, false)
    );
}

#[test]
fn several_types_of_values_are_several_profiles() {
    let mut off_cpu = profile(vec![sample(&[700], &[])]);
    off_cpu.sample_type.as_mut().unwrap().unit_strindex = 4;
    off_cpu.period_type = None;
    let profiles = received(&request(vec![profile(vec![sample(&[2], &[])]), off_cpu]));
    let got: Vec<_> =
        profiles.iter().map(|p| (p.value_type.clone(), p.period_ns, p.total())).collect();
    let time = ValueType { kind: "samples".into(), unit: "nanoseconds".into() };
    assert_eq!(got, [(ValueType::cpu_samples(), 50, 2), (time, 0, 700)]);
}

#[test]
fn frame_types_of_other_profilers_have_a_kind() {
    let kinds = [
        ("native", FrameKind::Native),
        ("go", FrameKind::Go),
        ("rust", FrameKind::Native),
        ("ruby", FrameKind::Jit),
        ("cpython", FrameKind::Python),
        ("jvm", FrameKind::Java),
        ("v8js", FrameKind::JavaScript),
        ("abort-marker", FrameKind::Truncated),
        ("unheard-of", FrameKind::Native),
    ];
    for (frame_type, kind) in kinds {
        let mut request = request(vec![profile(vec![sample(&[1], &[])])]);
        request.dictionary.as_mut().unwrap().attribute_table[1] = attribute(5, frame_type);
        let profiles = received(&request);
        assert_eq!(profiles[0].locations.iter().next().unwrap().kind, kind, "{frame_type}");
    }
}

#[test]
fn samples_that_mean_nothing_are_refused() {
    let cases: [(&[i64], &[u64], WireError); 3] = [
        (&[1, 2], &[1001], WireError::Shape { values: 2, timestamps: 1 }),
        (&[-1], &[], WireError::Negative),
        (&[i64::MAX, i64::MAX, i64::MAX], &[], WireError::Overflow),
    ];
    for (values, timestamps, error) in cases {
        let request = request(vec![profile(vec![sample(values, timestamps)])]);
        assert_eq!(from_otlp(&request, &Limits::default()).unwrap_err(), error);
    }
    let mut empty = sample(&[], &[]);
    empty.attribute_indices.clear();
    let request = request(vec![profile(vec![empty])]);
    assert_eq!(from_otlp(&request, &Limits::default()).unwrap_err(), WireError::EmptySample);
}
