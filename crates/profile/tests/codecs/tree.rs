use std::collections::BTreeMap;
use std::fmt::Write as _;

use infrared_profile::tree::encode::{self, DecodeError, decode, encode};
use infrared_profile::tree::json::TreeJson;
use infrared_profile::tree::{CallTree, Flags, NodeKind, TreeBuilder, TreeOptions};
use infrared_profile::{FrameKind, Profile, ValueType, frames, labels};
use proptest::prelude::*;

use crate::profiles::{any_profile, shop};

fn by_service(profile: &Profile) -> CallTree {
    let group_by = vec![labels::SERVICE.to_owned()];
    CallTree::from_profile(profile, &TreeOptions { group_by, ..TreeOptions::default() })
}

/// One line per node: indent, name, flags, self / total.
fn picture(tree: &CallTree) -> String {
    let (depths, totals) = (tree.depths(), tree.totals());
    let mut text = String::new();
    for node in 0..tree.len() {
        let indent = 2 * depths[node] as usize;
        let flags = tree.frame(node).flags.0;
        let values = format!("{} / {}", tree.self_values()[node], totals[node]);
        let name = if node == 0 { "root" } else { tree.name(node) };
        writeln!(text, "{:indent$}{name} {flags} {values}", "").unwrap();
    }
    text
}

#[test]
fn stacks_become_nodes_from_the_root_down_with_inlined_code_apart() {
    let expected = "\
root 0 0 / 15
  shop 0 0 / 11
    main 0 0 / 10
      parse; all 0 0 / 5
        next 1 2 / 5
          ksys_read 0 3 / 3
      walk 0 0 / 5
        walk 0 0 / 5
          walk 0 5 / 5
    [truncated: no table] 0 0 / 1
      0x7f0000001000 6 1 / 1
  api 0 0 / 4
    runtime.goexit 0 4 / 4
";
    assert_eq!(picture(&by_service(&shop())), expected);
}

#[test]
fn siblings_are_sorted_by_total_then_name() {
    let mut b = TreeBuilder::new(ValueType::cpu_samples(), 1, 100);
    for (name, value) in [("b", 2), ("c", 3), ("a", 2), ("d", 3)] {
        let frame = b.group(name);
        b.add(&[frame], value);
    }
    let tree = b.finish();
    let names: Vec<_> = tree.children(0).map(|node| tree.name(node)).collect();
    assert_eq!(names, ["c", "d", "a", "b"]);
}

#[test]
fn a_low_confidence_sample_marks_the_node_and_does_not_part_it() {
    let mut b = TreeBuilder::new(ValueType::cpu_samples(), 1, 100);
    let kind = NodeKind::Frame(FrameKind::Native);
    let sure = b.frame("f", kind, Flags::default(), None);
    let guess = b.frame("f", kind, Flags::LOW_CONFIDENCE, None);
    b.add(&[sure, sure], 1);
    b.add(&[guess, sure], 1);
    assert_eq!(picture(&b.finish()), "root 0 0 / 2\n  f 4 0 / 2\n    f 0 2 / 2\n");
}

#[test]
fn what_does_not_fit_is_kept_under_a_node_of_its_own() {
    let mut b = TreeBuilder::new(ValueType::cpu_samples(), 1, 4);
    for name in ["a", "b", "c", "d"] {
        let frame = b.group(name);
        b.add(&[frame], 10);
    }
    let tree = b.finish();
    assert_eq!(
        picture(&tree),
        "root 0 0 / 40\n  [truncated: tree limit] 0 20 / 20\n  a 0 10 / 10\n  b 0 10 / 10\n"
    );
}

#[test]
fn a_stack_of_200_000_frames_is_a_tree() {
    let mut b = TreeBuilder::new(ValueType::cpu_samples(), 1, usize::MAX);
    let frame = b.frame("f", NodeKind::Frame(FrameKind::Native), Flags::default(), None);
    b.add(&vec![frame; 200_000], 3);
    let tree = decode(&encode(&b.finish())).unwrap();
    assert_eq!((tree.len(), tree.totals()[0], tree.depths()[200_000]), (200_001, 3, 200_000));
}

/// Value per path of names, straight from the samples.
fn paths(profile: &Profile) -> BTreeMap<Vec<String>, u64> {
    let mut paths = BTreeMap::new();
    for sample in profile.samples.iter().filter(|sample| sample.value > 0) {
        let stack = profile.stack(sample.stack).unwrap();
        let names = frames::root_first(profile, stack);
        let names = names.map(|f| format!("{} {:?} {}", f.name, f.kind, f.inlined)).collect();
        *paths.entry(names).or_insert(0) += sample.value;
    }
    paths
}

fn paths_of_tree(tree: &CallTree) -> BTreeMap<Vec<String>, u64> {
    let mut paths = BTreeMap::new();
    let mut path: Vec<String> = Vec::new();
    for (node, depth) in tree.depths().into_iter().enumerate() {
        if let NodeKind::Frame(kind) = tree.frame(node).kind {
            path.truncate(depth as usize - 1);
            let inlined = tree.frame(node).flags.contains(Flags::INLINED);
            path.push(format!("{} {kind:?} {inlined}", tree.name(node)));
        }
        let value = tree.self_values()[node];
        if value > 0 {
            *paths.entry(path.clone()).or_insert(0) += value;
        }
    }
    paths
}

proptest! {
    #[test]
    fn a_tree_has_every_path_of_its_profile(profile in any_profile()) {
        let tree = CallTree::from_profile(&profile, &TreeOptions::default());
        prop_assert_eq!(tree.total(), profile.total());
        prop_assert_eq!(tree.totals()[0], profile.total());
        prop_assert_eq!(paths_of_tree(&tree), paths(&profile));
    }

    #[test]
    fn decoding_gives_the_tree_back(profile in any_profile()) {
        let tree = by_service(&profile);
        let bytes = encode(&tree);
        let again = decode(&bytes).unwrap();
        prop_assert_eq!(picture(&again), picture(&tree));
        prop_assert_eq!(encode(&again), bytes);
        prop_assert_eq!(&again.value_type, &tree.value_type);
        prop_assert_eq!(again.subtree_lens(), tree.subtree_lens());
        for node in 0..tree.len() {
            let (ours, theirs) = (tree.frame(node), again.frame(node));
            prop_assert_eq!(tree.module_path(&ours), again.module_path(&theirs));
            prop_assert_eq!(tree.build_id(&ours), again.build_id(&theirs));
            prop_assert_eq!(ours.kind, theirs.kind);
            prop_assert_eq!(tree.place(node), again.place(node));
        }
    }

    #[test]
    fn no_cut_or_changed_tree_makes_the_decoder_panic(
        profile in any_profile(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = encode(&by_service(&profile));
        let place = place.index(bytes.len());
        prop_assert!(decode(&bytes[..place]).is_err());
        bytes[place] = byte;
        infrared_profile::fuzz_tree(&bytes);
    }
}

/// What parts a node from others, and where it was.
type Step = (String, (String, u32));

fn steps(profile: &Profile, stack: infrared_profile::StackId) -> Vec<Step> {
    let text = |id| profile.strings.get(id).to_owned();
    let step = |frame: frames::FrameView<'_>| {
        let module = frame.module.and_then(|id| profile.module(id));
        let module = module.map(|module| (text(module.path), text(module.build_id)));
        let what = format!(
            "{} {:?} {} {} {module:?}",
            frame.name, frame.kind, frame.inlined, frame.unnamed
        );
        (what, (text(frame.line.file), frame.line.line))
    };
    frames::root_first(profile, profile.stack(stack).unwrap()).map(step).collect()
}

proptest! {
    #[test]
    fn a_node_is_at_the_place_that_most_of_its_value_was_at(profile in any_profile()) {
        let mut values: BTreeMap<Vec<String>, BTreeMap<(String, u32), u64>> = BTreeMap::new();
        for sample in profile.samples.iter().filter(|sample| sample.value > 0) {
            let mut path = Vec::new();
            for (what, place) in steps(&profile, sample.stack) {
                path.push(what);
                let of_node = values.entry(path.clone()).or_default();
                if place != (String::new(), 0) {
                    *of_node.entry(place).or_default() += sample.value;
                }
            }
        }
        let tree = CallTree::from_profile(&profile, &TreeOptions::default());
        let mut path: Vec<String> = Vec::new();
        for (node, depth) in tree.depths().into_iter().enumerate().skip(1) {
            let frame = tree.frame(node);
            let NodeKind::Frame(kind) = frame.kind else { panic!("a group") };
            let module = frame.module.map(|_| (tree.module_path(&frame), tree.build_id(&frame)));
            let has = |flag| frame.flags.contains(flag);
            path.truncate(depth as usize - 1);
            path.push(format!(
                "{} {kind:?} {} {} {module:?}",
                tree.name(node), has(Flags::INLINED), has(Flags::UNNAMED)
            ));
            // A node may be there for samples without value alone.
            let none = BTreeMap::new();
            let of_node = values.get(&path).unwrap_or(&none);
            let most = of_node.values().max();
            let held = tree.place(node).map(|(file, line)| (file.to_owned(), line));
            prop_assert_eq!(held.and_then(|place| of_node.get(&place)), most, "{:?}", path);
        }
    }
}

#[test]
fn json_has_the_same_columns() {
    let tree = by_service(&shop());
    let json = serde_json::to_value(TreeJson(&tree)).unwrap();
    let nodes = &json["nodes"];
    assert_eq!(nodes["total"], serde_json::json!(tree.totals()));
    assert_eq!(nodes["self"], serde_json::json!(tree.self_values()));
    assert_eq!(nodes["children"], serde_json::json!([2, 2, 2, 1, 1, 0, 1, 1, 0, 1, 0, 1, 0]));
    let frame = |node: usize| &json["frames"][nodes["frame"][node].as_u64().unwrap() as usize];
    assert_eq!(frame(0), &serde_json::json!({"name": "", "kind": "group"}));
    let next = serde_json::json!({
        "name": "next", "kind": "native", "module": "/usr/bin/shop", "build_id": "c0ffee", "inlined": true,
    });
    assert_eq!(frame(4), &next);
    assert_eq!((&json["total"], &json["value_type"]["kind"]), (&15.into(), &"samples".into()));
    for node in 0..tree.len() {
        let number = nodes["place"][node].as_u64().unwrap() as usize;
        let place = number.checked_sub(1).map(|index| &json["places"][index]);
        let place =
            place.map(|p| (p["file"].as_str().unwrap_or(""), p["line"].as_u64().unwrap() as u32));
        assert_eq!(place, tree.place(node));
    }
    assert!((0..tree.len()).any(|node| tree.place(node).is_some()));
}

/// The bytes of `docs/tree-format.md`, section "Example".
fn documented_bytes() -> Vec<u8> {
    let text = include_str!("../../../../docs/tree-format.md");
    let example = text.split_once("## Example").unwrap().1;
    let block = example.split("```").nth(1).unwrap();
    let is_byte = |word: &&str| word.len() == 2 && word.chars().all(|c| c.is_ascii_hexdigit());
    let bytes = block.lines().flat_map(|line| line.split_whitespace().take_while(is_byte));
    bytes.map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect()
}

#[test]
fn the_documented_example_is_what_the_encoder_writes() {
    let mut b = TreeBuilder::new(ValueType::cpu_samples(), 10_101_010, 100);
    let native = NodeKind::Frame(FrameKind::Native);
    let main = b.frame("main", native, Flags::default(), None);
    let work = b.frame("work", native, Flags::default(), None);
    let (main, work) = (b.at(main, "shop.c", 7), b.at(work, "shop.c", 12));
    b.add(&[main], 1);
    b.add(&[main, work], 2);
    let bytes = encode(&b.finish());
    assert_eq!(bytes, documented_bytes());
    assert_eq!(
        picture(&decode(&bytes).unwrap()),
        "root 0 0 / 3\n  main 0 1 / 3\n    work 0 2 / 2\n"
    );
}

#[test]
fn trees_that_are_none_are_refused_with_a_reason() {
    let good = documented_bytes();
    let with = |place: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[place] = byte;
        bytes
    };
    let last = good.len() - 1;
    let cases = [
        ("other magic", with(3, b'2'), DecodeError::Magic),
        ("version 1", with(4, 1), DecodeError::Version(1)),
        ("node count", with(5, 120), DecodeError::Short("header")),
        ("total", with(9, 4), DecodeError::Total),
        ("string length", with(18, 99), DecodeError::Short("strings")),
        ("not UTF-8", with(19, 0xff), DecodeError::Utf8),
        ("frame index", with(last - 11, 3), DecodeError::Index("frames")),
        ("place index", with(last - 8, 3), DecodeError::Index("places")),
        ("two roots", with(last - 1, 0), DecodeError::Shape),
        ("child too many", with(last, 1), DecodeError::Shape),
        ("trailing", [&good[..], &[0]].concat(), DecodeError::Trailing),
    ];
    for (what, bytes, error) in cases {
        assert_eq!(decode(&bytes).unwrap_err(), error, "{what}");
    }
}

#[test]
fn a_large_tree_takes_at_most_three_and_a_half_bytes_per_node_gzipped() {
    let tree = generated(220_000);
    let bytes = encode(&tree);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, &bytes).unwrap();
    let per_node = gzip.finish().unwrap().len() as f64 / tree.len() as f64;
    assert!(per_node <= 3.5, "{per_node:.2} bytes per node");
    assert!(tree.len() > 200_000);
    assert_eq!(encode::decode(&bytes).unwrap().total(), tree.total());
}

/// A tree as real programs have it: 6,000 functions, each of which calls a few others; stacks up to 110 deep.
fn generated(nodes: usize) -> CallTree {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut b = TreeBuilder::new(ValueType::cpu_samples(), 10_101_010, nodes + 10_000);
    let native = NodeKind::Frame(FrameKind::Native);
    let module = Some(("/usr/bin/program", "c0ffee"));
    let functions: Vec<_> = (0..6000)
        .map(|i| {
            b.frame(&format!("module_{}::function_{i}", i % 97), native, Flags::default(), module)
        })
        .collect();
    let mut made = 0;
    while made < nodes {
        let depth = 20 + next(90) as usize;
        let mut stack = Vec::with_capacity(depth);
        let mut at = 0_u64;
        for level in 0..depth as u64 {
            // few callees near the root, more further down; the first is by far the most frequent
            let choice = if next(10) < 8 { 0 } else { next(4 + level / 8) };
            at = (at.wrapping_mul(31) + 7 * choice + 1) % 6000;
            stack.push(functions[at as usize]);
        }
        b.add(&stack, 1 + next(3));
        made = b.len();
    }
    b.finish()
}
