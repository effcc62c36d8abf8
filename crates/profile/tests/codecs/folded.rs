use infrared_profile::folded::{self, ParseError, Unit, parse};
use infrared_profile::{Builder, FrameKind, Profile, Series, ValueType, labels};
use proptest::prelude::*;

use crate::profiles::{PERIOD_NS, any_profile, location, shop};

pub(crate) fn text(profile: &Profile, unit: Unit) -> String {
    let mut out = Vec::new();
    folded::write(profile, unit, &[], &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const SHOP: &str = "\
api;runtime.goexit 4
shop;[truncated: no table];0x7f0000001000_[g] 1
shop;main;parse: all;next_[i] 2
shop;main;parse: all;next_[i];ksys_read_[k] 3
shop;main;walk;walk;walk 5
";

#[test]
fn lines_are_root_first_sorted_and_marked() {
    assert_eq!(text(&shop(), Unit::Samples), SHOP);
}

#[test]
fn values_of_labels_stand_below_the_service() {
    let by = [labels::THREAD_NAME, "no such"].map(str::to_owned);
    let mut out = Vec::new();
    folded::write(&shop(), Unit::Samples, &by, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("api;api;unknown;runtime.goexit 4\n"), "{text}");
    assert!(text.contains("shop;worker;unknown;main;walk;walk;walk 5\n"), "{text}");
}

#[test]
fn nanoseconds_are_samples_times_the_period() {
    let line = format!("api;runtime.goexit {}\n", 4 * PERIOD_NS);
    assert!(text(&shop(), Unit::Nanoseconds).starts_with(&line));
    let mut time = shop();
    time.value_type.unit = "nanoseconds".into();
    assert_eq!(text(&time, Unit::Nanoseconds), SHOP);
}

#[test]
fn nanoseconds_of_what_is_no_time_is_an_error() {
    let events = Builder::new(ValueType::events(), 0, 0).finish(0);
    let error = folded::write(&events, Unit::Nanoseconds, &[], &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "the values of this profile are no time");
}

#[test]
fn a_line_stays_a_line_whatever_the_names() {
    let mut b = Builder::new(ValueType::cpu_samples(), 0, 1);
    let frame = location(&mut b, &["a;b\nc\td e"], FrameKind::Native, "/x");
    let (series, stack) = (b.series(Series::new()), b.stack(&[frame]));
    b.add(series, stack, 2);
    assert_eq!(text(&b.finish(0), Unit::Samples), "unknown;a:b c d e 2\n");
}

#[test]
fn a_line_without_a_count_is_named() {
    for (text, line) in [("a;b 1\na;b", 2), ("a -1", 1), ("\n\na;b x", 3)] {
        assert_eq!(parse(text), Err(ParseError { line }), "{text:?}");
    }
}

proptest! {
    #[test]
    fn parsing_gives_every_stack_once_and_the_whole_total(profile in any_profile()) {
        let text = text(&profile, Unit::Samples);
        let lines = parse(&text).unwrap();
        prop_assert_eq!(lines.iter().map(|line| line.count).sum::<u64>(), profile.total());
        let stacks: Vec<_> = lines.iter().map(|line| (line.service, &line.frames)).collect();
        let mut distinct = stacks.clone();
        distinct.sort();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), stacks.len());
    }
}
