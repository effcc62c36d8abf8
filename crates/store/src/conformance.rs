//! What every engine must do, as tests over any [`ProfileStore`]. [`conformance_tests`] makes one `#[test]` of each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use infrared_profile::{Builder, FrameKind, Location, Profile, Series, ValueType, labels};

use crate::{
    Budget, Group, Keep, Matcher, ProfileStore, Query, Selection, StoreError, TimeRange,
    TimelineSpec,
};

/// 99 Hz.
pub(crate) const PERIOD_NS: u64 = 10_101_010;
/// 2026-01-01T00:00:00Z, the start of an hour.
pub(crate) const EPOCH_MS: i64 = 1_767_225_600_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// A place where stores of one engine live.
pub(crate) trait Harness: Sync {
    fn new() -> Self;
    /// Opens the same data again each time. At most one store is open at once.
    fn open(&self) -> Box<dyn ProfileStore>;
    /// Makes the engine move what it holds into its long-term form.
    fn settle(&self, store: &dyn ProfileStore);
}

/// One row of a test profile: service, function names root first, value.
pub(crate) type Row<'r> = (&'r str, &'r [&'r str], u64);

/// A window of CPU samples that starts at `start_ms`.
pub(crate) fn window(start_ms: i64, duration_ms: u64, rows: &[Row<'_>]) -> Profile {
    let from_ns = start_ms as u64 * 1_000_000;
    let mut builder = Builder::new(ValueType::cpu_samples(), from_ns, PERIOD_NS);
    for (name, functions, value) in rows {
        let series = builder.series(series_of(name));
        let stack = stack_of(&mut builder, functions);
        builder.add(series, stack, *value);
    }
    builder.finish(duration_ms * 1_000_000)
}

fn series_of(service: &str) -> Series {
    Series::from([
        (labels::SERVICE.into(), service.into()),
        (labels::HOST.into(), "box".into()),
        (labels::PID.into(), (100 + service.len()).to_string()),
    ])
}

fn stack_of(builder: &mut Builder, functions: &[&str]) -> infrared_profile::StackId {
    let mut locations = Vec::new();
    for (depth, name) in functions.iter().enumerate().rev() {
        let module = Some(builder.module("/usr/bin/shop", "c0ffee"));
        let lines = vec![builder.line(name, "", "src/shop.rs", depth as u32 + 1)];
        let address = xxhash_rust::xxh3::xxh3_64(name.as_bytes()) >> 20;
        let kind = if name.starts_with("sys_") { FrameKind::Kernel } else { FrameKind::Native };
        let unnamed = name.contains("+0x");
        let location = Location { kind, module, address, lines, unnamed, low_confidence: false };
        locations.push(builder.location(location));
    }
    builder.stack(&locations)
}

pub(crate) fn everything() -> TimeRange {
    TimeRange { from_ms: EPOCH_MS - 1000 * HOUR_MS, to_ms: EPOCH_MS + 1000 * HOUR_MS }
}

fn query(selection: Selection) -> Query {
    let keep = Keep::Labels(vec![labels::SERVICE.into()]);
    Query { selection, keep, budget: Budget::default() }
}

/// `service;root;...;leaf` → value, of a selection.
pub(crate) fn folded(store: &dyn ProfileStore, selection: Selection) -> BTreeMap<String, u64> {
    let selected = store.select(&query(selection)).expect("select");
    let profile = &selected.profile;
    let mut folded = BTreeMap::new();
    for sample in &profile.samples {
        let service = &profile.series(sample.series).expect("series")[labels::SERVICE];
        let mut key = service.clone();
        for location in profile.stack(sample.stack).expect("stack").iter().rev() {
            let location = profile.location(*location).expect("location");
            for line in location.lines.iter().rev() {
                key = format!("{key};{}", profile.strings.get(line.function));
            }
        }
        *folded.entry(key).or_default() += sample.value;
    }
    folded
}

fn expect(rows: &[(&str, u64)]) -> BTreeMap<String, u64> {
    rows.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect()
}

pub(crate) fn what_is_written_is_read(harness: &impl Harness) {
    let store = harness.open();
    store.write(&[window(EPOCH_MS, 10_000, &[("shop", &["main", "pay"], 3)])]).expect("write");
    store
        .write(&[window(
            EPOCH_MS + 10_000,
            10_000,
            &[("shop", &["main", "pay"], 4), ("db", &["main", "sys_read"], 2)],
        )])
        .expect("write");
    let all = expect(&[("shop;main;pay", 7), ("db;main;sys_read", 2)]);
    assert_eq!(folded(&*store, Selection::cpu(everything())), all);
    harness.settle(&*store);
    assert_eq!(folded(&*store, Selection::cpu(everything())), all);
}

pub(crate) fn frames_come_back_as_they_were(harness: &impl Harness) {
    let store = harness.open();
    let rows: &[Row<'_>] = &[("shop", &["main", "libx.so+0x12", "sys_read"], 1)];
    store.write(&[window(EPOCH_MS, 1000, rows)]).expect("write");
    for _ in 0..2 {
        let profile = store.select(&query(Selection::cpu(everything()))).expect("select").profile;
        let stack = profile.stack(profile.samples[0].stack).expect("stack");
        let frames: Vec<_> =
            stack.iter().map(|l| profile.location(*l).expect("location")).collect();
        let kinds: Vec<_> = frames.iter().map(|f| (f.kind, f.unnamed, f.lines[0].line)).collect();
        let native = FrameKind::Native;
        assert_eq!(kinds, [(FrameKind::Kernel, false, 3), (native, true, 2), (native, false, 1)]);
        let module = profile.module(frames[0].module.expect("module")).expect("module");
        assert_eq!(profile.strings.get(module.path), "/usr/bin/shop");
        assert_eq!(profile.strings.get(module.build_id), "c0ffee");
        assert_eq!(profile.strings.get(frames[0].lines[0].file), "src/shop.rs");
        assert_eq!(profile.period_ns, PERIOD_NS);
        harness.settle(&*store);
    }
}

pub(crate) fn data_survive_a_restart(harness: &impl Harness) {
    let rows: &[Row<'_>] = &[("shop", &["main", "pay"], 3)];
    let expected = |count: u64| expect(&[("shop;main;pay", 3 * count)]);
    for round in 0..4_i64 {
        let store = harness.open();
        assert_eq!(folded(&*store, Selection::cpu(everything())).len(), usize::from(round > 0));
        store.write(&[window(EPOCH_MS + round * 1000, 1000, rows)]).expect("write");
        if round % 2 == 1 {
            harness.settle(&*store);
        }
        assert_eq!(folded(&*store, Selection::cpu(everything())), expected(round as u64 + 1));
    }
    assert_eq!(folded(&*harness.open(), Selection::cpu(everything())), expected(4));
}

pub(crate) fn a_window_belongs_to_every_range_it_overlaps(harness: &impl Harness) {
    let store = harness.open();
    for start in [0, 10_000, 20_000] {
        let rows: &[Row<'_>] = &[("shop", &["main"], 1)];
        store.write(&[window(EPOCH_MS + start, 10_000, rows)]).expect("write");
    }
    for settled in [false, true] {
        for (from, to, windows) in [
            (0, 30_000, 3),
            (0, 10_000, 1),
            (9_999, 10_001, 2),
            (15_000, 16_000, 1),
            (30_000, 40_000, 0),
            (-10, 0, 0),
        ] {
            let range = TimeRange { from_ms: EPOCH_MS + from, to_ms: EPOCH_MS + to };
            let selected = store.select(&query(Selection::cpu(range))).expect("select");
            assert_eq!(selected.profile.total(), windows, "{from}..{to} settled {settled}");
            assert_eq!(selected.coverage.covered_ms, windows * 10_000, "{from}..{to}");
        }
        harness.settle(&*store);
    }
}

pub(crate) fn matchers_select_series(harness: &impl Harness) {
    let store = harness.open();
    let rows: &[Row<'_>] = &[("shop", &["main"], 1), ("db", &["main"], 2), ("cache", &["main"], 4)];
    store.write(&[window(EPOCH_MS, 1000, rows)]).expect("write");
    let any = |values: &[&str]| Matcher::AnyOf {
        label: labels::SERVICE.into(),
        values: values.iter().map(ToString::to_string).collect(),
    };
    let none = |label: &str, value: &str| Matcher::NoneOf {
        label: label.into(),
        values: vec![value.into()],
    };
    for settled in [false, true] {
        for (matchers, total) in [
            (vec![any(&["shop"])], 1),
            (vec![any(&["shop", "db"])], 3),
            (vec![any(&["nobody"])], 0),
            (vec![none(labels::SERVICE, "db")], 5),
            (vec![none(labels::SELF, "true")], 7),
            (vec![any(&["shop", "db"]), none(labels::SERVICE, "db")], 1),
        ] {
            let selection = Selection { matchers, ..Selection::cpu(everything()) };
            let totals = store.series_totals(&selection, &Budget::default()).expect("totals");
            assert_eq!(totals.series.iter().map(|s| s.value).sum::<u64>(), total);
            assert_eq!(folded(&*store, selection).values().sum::<u64>(), total, "{settled}");
        }
        harness.settle(&*store);
    }
    let names = store.services(&Selection::cpu(everything()), &Budget::default()).expect("names");
    assert_eq!(names, ["cache", "db", "shop"]);
}

pub(crate) fn value_types_stay_apart(harness: &impl Harness) {
    let store = harness.open();
    let mut events = window(EPOCH_MS, 1000, &[("shop", &["taken"], 50)]);
    events.value_type = ValueType::events();
    events.period_ns = 0;
    store.write(&[window(EPOCH_MS, 1000, &[("shop", &["main"], 1)]), events]).expect("write");
    for _ in 0..2 {
        let cpu = Selection::cpu(everything());
        let events = Selection { value_type: ValueType::events(), ..cpu.clone() };
        assert_eq!(folded(&*store, cpu), expect(&[("shop;main", 1)]));
        assert_eq!(folded(&*store, events), expect(&[("shop;taken", 50)]));
        harness.settle(&*store);
    }
}

pub(crate) fn a_timeline_shows_weight_and_gaps(harness: &impl Harness) {
    let store = harness.open();
    for (start, duration, value) in [(0, 1000, 2), (1000, 1000, 0), (10_000, 10_000, 40)] {
        let rows: &[Row<'_>] = &[("shop", &["main"], value), ("db", &["main"], 1)];
        let rows = if value == 0 { &[] } else { rows };
        store.write(&[window(EPOCH_MS + start, duration, rows)]).expect("write");
    }
    let range = TimeRange { from_ms: EPOCH_MS, to_ms: EPOCH_MS + 12_000 };
    let selection = Selection::cpu(range);
    let spec = TimelineSpec { step_ms: 1000, by: Some(labels::SERVICE.into()), top: 1 };
    for _ in 0..2 {
        let line = store.timeline(&selection, &spec, &Budget::default()).expect("timeline");
        let mut covered = vec![0.0; 12];
        for step in [0, 1, 10, 11] {
            covered[step] = 1000.0;
        }
        assert_eq!(line.covered_ms, covered);
        assert_eq!(line.groups[0].group, Group::Value("shop".into()));
        assert_eq!(line.groups[1].group, Group::Other);
        let period = PERIOD_NS as f64;
        let near = |index: usize, samples: f64| {
            (line.groups[0].weights[index] - samples * period).abs() < 1.0
        };
        assert!(near(0, 2.0) && near(1, 0.0) && near(10, 4.0) && near(11, 4.0));
        assert!((line.groups[1].weights.iter().sum::<f64>() - 1.2 * period).abs() < 1.0);
        harness.settle(&*store);
    }
    let total = TimelineSpec { by: None, ..spec.clone() };
    let line = store.timeline(&selection, &total, &Budget::default()).expect("timeline");
    assert_eq!(line.groups.len(), 1);
    assert_eq!(line.groups[0].group, Group::All);
    let endless = TimelineSpec { step_ms: 1, ..spec };
    let refused = store.timeline(&selection, &endless, &Budget::default());
    assert!(matches!(refused, Err(StoreError::InvalidQuery(_))), "{refused:?}");
}

pub(crate) fn hostile_labels_come_back_unchanged(harness: &impl Harness) {
    let store = harness.open();
    let long = "x".repeat(100_000);
    let hostile = [
        "",
        "a\0b",
        "'; DROP TABLE facts; --",
        "../../etc/passwd",
        "\u{202e}\u{1f525}",
        "a;b\nc",
        &long,
    ];
    for (index, service) in hostile.iter().enumerate() {
        let functions: &[&str] = &[service, "\"leaf\""];
        let mut profile = window(EPOCH_MS + index as i64, 1, &[]);
        let mut builder = Builder::new(ValueType::cpu_samples(), profile.start_ns, PERIOD_NS);
        let series = builder.series(Series::from([
            (labels::SERVICE.into(), (*service).to_owned()),
            ((*service).to_owned(), "name".into()),
        ]));
        let stack = stack_of(&mut builder, functions);
        builder.add(series, stack, 1);
        profile = builder.finish(1_000_000);
        store.write(&[profile]).expect("write");
    }
    for _ in 0..2 {
        for service in hostile {
            let selection = Selection::cpu(everything()).services(&[service]);
            let key = format!("{service};{service};\"leaf\"");
            assert_eq!(folded(&*store, selection), BTreeMap::from([(key, 1)]));
        }
        harness.settle(&*store);
    }
}

pub(crate) fn many_distinct_series_and_stacks_are_kept(harness: &impl Harness) {
    let store = harness.open();
    let names: Vec<(String, String)> =
        (0..3000).map(|i| (format!("service-{}", i % 700), format!("function-{i}"))).collect();
    for chunk in names.chunks(500) {
        let stacks: Vec<[&str; 2]> = chunk.iter().map(|(_, f)| ["main", f.as_str()]).collect();
        let rows: Vec<Row<'_>> =
            chunk.iter().zip(&stacks).map(|((s, _), f)| (s.as_str(), &f[..], 1)).collect();
        store.write(&[window(EPOCH_MS, 1000, &rows)]).expect("write");
        harness.settle(&*store);
    }
    let folded = folded(&*store, Selection::cpu(everything()));
    assert_eq!(folded.len(), 3000);
    assert!(folded.contains_key("service-699;main;function-2799"));
}

pub(crate) fn a_query_over_budget_is_refused(harness: &impl Harness) {
    let store = harness.open();
    let rows: &[Row<'_>] = &[("shop", &["a"], 1), ("shop", &["b"], 1), ("shop", &["c"], 1)];
    store.write(&[window(EPOCH_MS, 1000, rows)]).expect("write");
    for _ in 0..2 {
        let mut query = query(Selection::cpu(everything()));
        query.budget.max_rows = 2;
        assert!(matches!(store.select(&query), Err(StoreError::TooLarge { limit: 2 })));
        query.budget = Budget { deadline: Some(std::time::Instant::now()), ..Budget::default() };
        assert!(matches!(store.select(&query), Err(StoreError::DeadlineExceeded)));
        harness.settle(&*store);
    }
}

pub(crate) fn other_periods_are_scaled(harness: &impl Harness) {
    let store = harness.open();
    let mut slow = window(EPOCH_MS, 1000, &[("shop", &["slow"], 10)]);
    slow.period_ns = 3 * PERIOD_NS;
    store.write(&[slow, window(EPOCH_MS, 1000, &[("shop", &["fast"], 10)])]).expect("write");
    let expected = expect(&[("shop;fast", 10), ("shop;slow", 30)]);
    assert_eq!(folded(&*store, Selection::cpu(everything())), expected);
}

pub(crate) fn readers_see_whole_windows_while_writers_write(harness: &impl Harness) {
    const WINDOWS: i64 = 60;
    let store = harness.open();
    let finished = AtomicU32::new(0);
    let rows: &[Row<'_>] = &[("a", &["main", "f"], 1), ("b", &["main", "g"], 1)];
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (store, finished) = (&store, Finished(&finished));
            scope.spawn(move || {
                let _finished = finished;
                for index in 0..WINDOWS {
                    let start = EPOCH_MS + (index * 2 + writer) * 60_000;
                    store.write(&[window(start, 1000, rows)]).expect("write");
                    if index % 10 == 9 && writer == 0 {
                        harness.settle(&**store);
                    }
                }
            });
        }
        scope.spawn(|| {
            let mut last = 0;
            while finished.load(Ordering::Acquire) < 2 {
                let folded = folded(&*store, Selection::cpu(everything()));
                let count = folded.get("a;main;f").copied().unwrap_or(0);
                assert_eq!(count, folded.get("b;main;g").copied().unwrap_or(0), "a torn window");
                assert!(count >= last, "windows disappeared");
                last = count;
            }
        });
    });
    let total: u64 = folded(&*store, Selection::cpu(everything())).values().sum();
    assert_eq!(total, 4 * WINDOWS as u64);
}

/// Counts a writer that is done, also when it panics.
struct Finished<'c>(&'c AtomicU32);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// One `#[test]` per behaviour, over the engine that `$harness` opens.
macro_rules! conformance_tests {
    ($harness:ty: $($behaviour:ident),+ $(,)?) => {
        $(#[test]
        fn $behaviour() {
            let harness = <$harness as $crate::conformance::Harness>::new();
            $crate::conformance::$behaviour(&harness);
        })+
    };
    ($harness:ty) => {
        $crate::conformance::conformance_tests!($harness:
            what_is_written_is_read,
            frames_come_back_as_they_were,
            data_survive_a_restart,
            a_window_belongs_to_every_range_it_overlaps,
            matchers_select_series,
            value_types_stay_apart,
            a_timeline_shows_weight_and_gaps,
            hostile_labels_come_back_unchanged,
            many_distinct_series_and_stacks_are_kept,
            a_query_over_budget_is_refused,
            other_periods_are_scaled,
            readers_see_whole_windows_while_writers_write,
        );
    };
}
pub(crate) use conformance_tests;
