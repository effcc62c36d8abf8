use infrared_profile::{Builder, FrameKind, Location, Profile, ValueType, labels, merge};
use infrared_wire::proto::common::any_value::Value;
use infrared_wire::{Limits, decode_request, from_otlp, to_otlp, validate};
use proptest::prelude::*;
use prost::Message;

use crate::profiles::{PERIOD_NS, START_NS, any_profile, location, meaning, series, shop};

/// Over the wire as bytes.
fn sent(profiles: &[Profile]) -> Vec<Profile> {
    let body = to_otlp(profiles).encode_to_vec();
    let request = decode_request(&body, &Limits::default()).unwrap();
    from_otlp(&request, &Limits::default()).unwrap()
}

proptest! {
    #[test]
    fn a_profile_comes_back_as_it_was_and_conforms(profile in any_profile()) {
        let request = to_otlp(std::slice::from_ref(&profile));
        prop_assert_eq!(validate(&request), []);
        // times that are a part only are not sent
        let mut expected = profile;
        for sample in &mut expected.samples {
            if sample.timestamps_ns.len() as u64 != sample.value {
                sample.timestamps_ns.clear();
            }
        }
        let got = sent(std::slice::from_ref(&expected));
        prop_assert_eq!(got.iter().map(Profile::total).sum::<u64>(), expected.total());
        for profile in &got {
            prop_assert_eq!(meaning(profile), meaning(&expected));
            prop_assert_eq!(&profile.value_type, &expected.value_type);
            let window = (profile.start_ns, profile.duration_ns, profile.period_ns);
            prop_assert_eq!(window, (START_NS, 1_000_000_000, PERIOD_NS));
        }
    }

    #[test]
    fn sending_again_sends_the_same_bytes(profile in any_profile()) {
        let once = sent(&[profile]);
        prop_assert_eq!(to_otlp(&sent(&once)).encode_to_vec(), to_otlp(&once).encode_to_vec());
    }
}

#[test]
fn a_request_has_one_resource_per_process_and_its_threads_are_attributes() {
    let request = to_otlp(&[shop()]);
    let dictionary = request.dictionary.unwrap();
    assert_eq!(request.resource_profiles.len(), 2);
    let attributes = &request.resource_profiles[0].resource.as_ref().unwrap().attributes;
    let pid = attributes.iter().find(|attribute| attribute.key == labels::PID).unwrap();
    assert_eq!(pid.value.as_ref().unwrap().value, Some(Value::IntValue(7)));
    assert!(attributes.iter().all(|attribute| attribute.key != labels::THREAD_NAME));
    let profile = &request.resource_profiles[0].scope_profiles[0].profiles[0];
    let threads = profile.samples.iter().map(|sample| {
        let attribute = &dictionary.attribute_table[sample.attribute_indices[0] as usize];
        dictionary.string_table[attribute.key_strindex as usize].as_str()
    });
    assert_eq!(threads.collect::<Vec<_>>(), [labels::THREAD_NAME; 4]);
}

#[test]
fn every_kind_of_frame_comes_back() {
    let mut b = Builder::new(ValueType::cpu_samples(), START_NS, PERIOD_NS);
    let kinds = [
        FrameKind::Native,
        FrameKind::Kernel,
        FrameKind::Go,
        FrameKind::Jit,
        FrameKind::Vdso,
        FrameKind::Runtime,
    ];
    let mut stack: Vec<_> =
        kinds.iter().map(|&kind| location(&mut b, &["f"], kind, "/x")).collect();
    stack.push(b.truncated("no table"));
    let stack = b.stack(&stack);
    let series = b.series(series("shop", "worker", 7));
    b.add(series, stack, 1);
    let again = sent(&[b.finish(10)]);
    let got = again[0].locations.iter().map(|location| location.kind);
    assert_eq!(got.collect::<Vec<_>>(), [&kinds[..], &[FrameKind::Truncated]].concat());
}

#[test]
fn windows_types_and_periods_stay_apart_and_equal_ones_join() {
    let events = Builder::new(ValueType::events(), START_NS, 0);
    let counted = |mut b: Builder| {
        let event = b.event("samples lost");
        let (series, stack) = (b.series(series("shop", "main", 1)), b.stack(&[event]));
        b.add(series, stack, 2);
        b.finish(10_000_000_000)
    };
    let profiles = sent(&[shop(), counted(events), shop()]);
    let totals: Vec<_> = profiles.iter().map(|p| (p.value_type.kind.as_str(), p.total())).collect();
    assert_eq!(totals, [("samples", 30), ("infrared.events", 2)]);
}

#[test]
fn the_window_grows_to_hold_its_times() {
    let mut late = shop();
    late.duration_ns = 1;
    let request = to_otlp(&[late]);
    assert_eq!(validate(&request), []);
    let again = from_otlp(&request, &Limits::default()).unwrap();
    assert_eq!((again.len(), again[0].start_ns, again[0].duration_ns), (1, START_NS, 5005));
}

#[test]
fn nothing_is_sent_of_what_no_sample_refers_to() {
    let mut only_api = shop();
    only_api.samples.retain(|sample| sample.series.0 == 2);
    only_api.samples[0].value = 0;
    let request = to_otlp(&[only_api, merge::filter(&shop(), |_, _| false)]);
    assert_eq!(validate(&request), []);
    assert_eq!(request.resource_profiles.len(), 0);
    assert_eq!(request.dictionary.unwrap().location_table.len(), 1);
}

#[test]
fn low_confidence_and_missing_names_come_back() {
    let mut b = Builder::new(ValueType::cpu_samples(), START_NS, PERIOD_NS);
    let lines = vec![b.line("libz.so+0x10", "", "", 0)];
    let own =
        Location { address: 16, lines, low_confidence: true, unnamed: true, ..Location::default() };
    let location = b.location(own.clone());
    let (series, stack) = (b.series(series("shop", "main", 1)), b.stack(&[location]));
    b.add(series, stack, 1);
    let again = sent(&[b.finish(10)]);
    let got = again[0].locations.iter().next().unwrap();
    assert_eq!((got.low_confidence, got.unnamed, got.lines.len()), (true, true, 1));
}
