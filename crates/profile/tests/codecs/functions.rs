use std::collections::BTreeMap;

use infrared_profile::functions::functions;
use infrared_profile::tree::{CallTree, TreeOptions};
use infrared_profile::{FrameKind, frames};
use proptest::prelude::*;

use crate::profiles::{any_profile, shop};

#[test]
fn recursion_counts_once_and_inlined_code_is_a_function() {
    let table = functions(&CallTree::from_profile(&shop(), &TreeOptions::default()));
    let rows: Vec<_> =
        table.functions.iter().map(|f| (&*f.name, f.self_value, f.total, f.kind)).collect();
    let native = FrameKind::Native;
    let expected = [
        ("walk", 5, 5, native),
        ("runtime.goexit", 4, 4, FrameKind::Go),
        ("ksys_read", 3, 3, FrameKind::Kernel),
        ("next", 2, 5, native),
        ("0x7f0000001000", 1, 1, FrameKind::Jit),
        ("main", 0, 10, native),
        ("parse; all", 0, 5, native),
    ];
    assert_eq!(rows, expected);
    assert_eq!(table.samples(table.total), Some(15));
    let interval = table.share_interval(5).unwrap();
    assert!(interval.low < 5.0 / 15.0 && interval.high > 5.0 / 15.0);
}

#[test]
fn time_gives_an_interval_only_if_the_period_is_known() {
    let mut profile = shop();
    profile.value_type.unit = "nanoseconds".into();
    let interval = |profile: &_| {
        let tree = CallTree::from_profile(profile, &TreeOptions::default());
        functions(&tree).share_interval(15)
    };
    profile.period_ns = 5;
    assert_eq!(interval(&profile).map(|i| i.high), Some(1.0));
    profile.period_ns = 0;
    assert_eq!(interval(&profile), None);
}

proptest! {
    #[test]
    fn totals_equal_those_counted_stack_by_stack(profile in any_profile()) {
        let mut sums: BTreeMap<(String, String, FrameKind), (u64, u64)> = BTreeMap::new();
        for sample in &profile.samples {
            let stack = profile.stack(sample.stack).unwrap();
            let mut keys: Vec<_> = frames::root_first(&profile, stack)
                .map(|f| {
                    let module = f.module.and_then(|id| profile.module(id));
                    let path = module.map_or("", |module| profile.strings.get(module.path));
                    (f.name.into_owned(), path.to_owned(), f.kind)
                })
                .collect();
            if let Some(leaf) = keys.last() {
                sums.entry(leaf.clone()).or_default().0 += sample.value;
            }
            keys.sort();
            keys.dedup();
            for key in keys {
                sums.entry(key).or_default().1 += sample.value;
            }
        }
        let table = functions(&CallTree::from_profile(&profile, &TreeOptions::default()));
        let rows = table.functions.into_iter();
        let got: BTreeMap<_, _> =
            rows.map(|f| ((f.name, f.module, f.kind), (f.self_value, f.total))).collect();
        prop_assert_eq!(got, sums);
    }
}
