use infrared_profile::merge::{self, MergeError};
use infrared_profile::{Builder, Profile, Series, ValueType, labels};
use proptest::prelude::*;

use crate::profiles::{PERIOD_NS, START_NS, any_profile, meaning, shop};

fn copied(profile: &Profile) -> Profile {
    merge::filter(profile, |_, _| true)
}

proptest! {
    #[test]
    fn a_copy_says_the_same(profile in any_profile()) {
        prop_assert_eq!(meaning(&copied(&profile)), meaning(&profile));
    }

    #[test]
    fn merging_conserves_the_total(a in any_profile(), b in any_profile()) {
        let both = merge::merge([&a, &b]).unwrap();
        prop_assert_eq!(both.total(), a.total() + b.total());
    }

    #[test]
    fn parts_by_series_make_the_whole(profile in any_profile()) {
        let first = |series: &Series| series.get(labels::SERVICE).is_some_and(|s| s == "service 0");
        let ours = merge::filter_series(&profile, first);
        let rest = merge::filter_series(&profile, |series| !first(series));
        let whole = merge::merge([&ours, &rest]).unwrap();
        prop_assert_eq!(meaning(&whole), meaning(&profile));
    }
}

#[test]
fn merging_a_profile_with_itself_doubles_values_and_adds_no_ids() {
    let one = shop();
    let two = merge::merge([&one, &one]).unwrap();
    assert_eq!(two.total(), 2 * one.total());
    assert_eq!(two.samples.len(), one.samples.len());
    assert_eq!(two.strings.len(), one.strings.len());
    assert_eq!(two.locations.len(), one.locations.len());
    assert_eq!(two.samples[0].timestamps_ns.len(), 2 * one.samples[0].timestamps_ns.len());
    assert!(two.samples[0].timestamps_ns.is_sorted());
}

#[test]
fn the_window_spans_all_windows() {
    let window = |start, duration| Builder::new(ValueType::events(), start, 0).finish(duration);
    let merged = merge::merge([&window(50, 10), &window(10, 20), &window(30, 10)]).unwrap();
    assert_eq!((merged.start_ns, merged.duration_ns), (10, 50));
}

#[test]
fn filtering_by_label_keeps_only_what_its_samples_refer_to() {
    let wanted = Series::from([(labels::SERVICE.to_owned(), "api".to_owned())]);
    let api = merge::filter_labels(&shop(), &wanted);
    assert_eq!(
        (api.total(), api.series.len(), api.stacks.len(), api.locations.len()),
        (4, 1, 1, 1)
    );
    assert_eq!((api.start_ns, api.period_ns), (START_NS, PERIOD_NS));
    assert!(!api.strings.iter().any(|text| text == "walk"));
}

#[test]
fn different_types_and_periods_stay_apart() {
    let of = |value_type, period| Builder::new(value_type, 0, period).finish(0);
    let samples = of(ValueType::cpu_samples(), 100);
    let cases = [of(ValueType::events(), 100), of(ValueType::cpu_samples(), 50)];
    let errors = cases.map(|other| merge::merge([&samples, &other]).unwrap_err());
    assert!(matches!(errors[0], MergeError::ValueType { .. }));
    assert_eq!(errors[1], MergeError::Period { ours_ns: 100, theirs_ns: 50 });
    assert_eq!(
        errors[1].to_string(),
        "cannot merge samples of 50 ns each into samples of 100 ns each"
    );
}
