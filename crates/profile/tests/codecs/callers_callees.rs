use infrared_profile::callers_callees::{FunctionQuery, callers_callees};
use infrared_profile::functions::functions;
use infrared_profile::tree::{CallTree, TreeOptions};
use infrared_profile::{FrameKind, labels};
use proptest::prelude::*;

use crate::profiles::{any_profile, shop};

const MANY: usize = 100_000;

fn by_service() -> CallTree {
    let group_by = vec![labels::SERVICE.to_owned()];
    CallTree::from_profile(&shop(), &TreeOptions { group_by, ..TreeOptions::default() })
}

fn named(name: &str) -> FunctionQuery<'_> {
    FunctionQuery { name, module: None, kind: None }
}

/// Names and totals in depth-first order.
fn nodes(tree: &CallTree) -> Vec<(String, u64)> {
    let totals = tree.totals();
    (0..tree.len()).map(|node| (tree.name(node).to_owned(), totals[node])).collect()
}

fn owned(nodes: &[(&str, u64)]) -> Vec<(String, u64)> {
    nodes.iter().map(|&(name, total)| (name.to_owned(), total)).collect()
}

#[test]
fn callers_are_upside_down_and_callees_merged() {
    let both = callers_callees(&by_service(), named("parse; all"), MANY).unwrap();
    assert_eq!((both.self_value, both.total), (0, 5));
    let upward = owned(&[("", 5), ("parse; all", 5), ("main", 5), ("shop", 5)]);
    assert_eq!(nodes(&both.callers), upward);
    let downward = owned(&[("", 5), ("parse; all", 5), ("next", 5), ("ksys_read", 3)]);
    assert_eq!(nodes(&both.callees), downward);
}

#[test]
fn a_recursive_function_counts_once_and_its_inner_calls_are_callees() {
    let both = callers_callees(&by_service(), named("walk"), MANY).unwrap();
    assert_eq!((both.self_value, both.total), (5, 5));
    assert_eq!(nodes(&both.callers), owned(&[("", 5), ("walk", 5), ("main", 5), ("shop", 5)]));
    let callees = owned(&[("", 5), ("walk", 5), ("walk", 5), ("walk", 5)]);
    assert_eq!(nodes(&both.callees), callees);
}

#[test]
fn module_and_kind_narrow_the_query() {
    let tree = by_service();
    let module = |module| FunctionQuery { module: Some(module), ..named("main") };
    let kind = |kind| FunctionQuery { kind: Some(kind), ..named("main") };
    let cases = [
        (module("/usr/bin/shop"), true),
        (module("/usr/bin/other"), false),
        (kind(FrameKind::Native), true),
        (kind(FrameKind::Kernel), false),
        // a group is no function
        (named("shop"), false),
        (named("[truncated: no table]"), false),
    ];
    for (query, found) in cases {
        assert_eq!(callers_callees(&tree, query, MANY).is_some(), found, "{query:?}");
    }
}

proptest! {
    #[test]
    fn sums_equal_the_function_table(profile in any_profile(), max_nodes in 2..40_usize) {
        let tree = CallTree::from_profile(&profile, &TreeOptions::default());
        for row in functions(&tree).functions {
            let (module, kind) = (Some(&*row.module), Some(row.kind));
            let query = FunctionQuery { name: &row.name, module, kind };
            let both = callers_callees(&tree, query, max_nodes).unwrap();
            prop_assert_eq!((both.self_value, both.total), (row.self_value, row.total));
            prop_assert_eq!(both.callers.total(), row.total);
            prop_assert_eq!(both.callees.total(), row.total);
            prop_assert!(both.callers.len() <= max_nodes && both.callees.len() <= max_nodes);
        }
    }
}
