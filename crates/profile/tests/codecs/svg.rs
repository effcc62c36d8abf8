use infrared_profile::svg::{self, SvgOptions};
use infrared_profile::tree::{CallTree, TreeBuilder, TreeOptions};
use infrared_profile::{Profile, ValueType, labels};
use proptest::prelude::*;

use crate::profiles::{any_profile, shop};

fn drawn(tree: &CallTree, options: SvgOptions<'_>) -> String {
    let mut out = Vec::new();
    svg::write(tree, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn by_service(profile: &Profile) -> CallTree {
    let group_by = vec![labels::SERVICE.to_owned()];
    CallTree::from_profile(profile, &TreeOptions { group_by, ..TreeOptions::default() })
}

/// A root with `count` children that weigh 1, 2, 3 ...
fn fan(count: u64) -> CallTree {
    let mut b = TreeBuilder::new(ValueType::cpu_samples(), 0, 100_000);
    for i in 0..count {
        let frame = b.group(&format!("f{i}"));
        b.add(&[frame], i + 1);
    }
    b.finish()
}

fn frames(svg: &str) -> usize {
    svg.matches("<g><title>").count()
}

#[test]
fn every_frame_has_a_tooltip_with_its_share() {
    let svg = drawn(&by_service(&shop()), SvgOptions::default());
    assert_eq!(frames(&svg), by_service(&shop()).len());
    for tooltip in [
        "<title>all: 15 samples (0.15 s), 100.00 %</title>",
        "<title>ksys_read ([kernel]): 3 samples (0.03 s), 20.00 %, kernel</title>",
        "<title>next (shop): 5 samples (0.05 s), 33.33 %, inlined</title>",
        "<title>0x7f0000001000: 1 samples (0.01 s), 6.67 %, JIT, low confidence</title>",
    ] {
        assert!(svg.contains(tooltip), "{tooltip} is missing in {svg}");
    }
    assert!(svg.contains(">15 samples (0.15 s) in 13 frames<"));
}

#[test]
fn frames_too_narrow_to_see_are_counted_in_the_footer() {
    // widths of 0.01 px and 1,000 px
    let mut b = TreeBuilder::new(ValueType::cpu_samples(), 0, 100);
    let (wide, narrow) = (b.group("wide"), b.group("narrow"));
    b.add(&[wide], 100_000);
    b.add(&[narrow, narrow], 1);
    let svg = drawn(&b.finish(), SvgOptions { width: 1000, ..SvgOptions::default() });
    assert_eq!(frames(&svg), 2);
    assert!(svg.contains("in 2 frames; 2 frames under 0.11 px left out"), "{svg}");
}

#[test]
fn no_more_than_the_widest_frames_are_drawn() {
    let svg = drawn(&fan(100), SvgOptions { max_frames: 10, ..SvgOptions::default() });
    assert_eq!(frames(&svg), 11);
    assert!(svg.contains("in 11 frames; 90 frames under"));
    assert!(svg.contains("<title>f90:") && !svg.contains("<title>f89:"));
}

#[test]
fn an_empty_tree_is_a_picture() {
    let tree = TreeBuilder::new(ValueType::cpu_samples(), 0, 10).finish();
    assert_eq!(frames(&drawn(&tree, SvgOptions::default())), 1);
}

proptest! {
    #[test]
    fn the_picture_is_well_formed_and_always_the_same(profile in any_profile(), title in "\\PC*") {
        let tree = by_service(&profile);
        let options = SvgOptions { title: &title, ..SvgOptions::default() };
        let svg = drawn(&tree, options);
        prop_assert_eq!(&svg, &drawn(&tree, options));
        well_formed(&svg)?;
    }
}

/// Every element is closed in order, and no text holds markup.
fn well_formed(svg: &str) -> Result<(), TestCaseError> {
    let (markup, script) = svg.split_once("<![CDATA[").unwrap();
    let (script, end) = script.split_once("]]>").unwrap();
    prop_assert!(!script.contains("]]>"));
    let markup = format!("{markup}{end}");
    let mut open: Vec<&str> = Vec::new();
    let mut rest = &*markup;
    while let Some((text, tail)) = rest.split_once('<') {
        prop_assert!(!text.contains('>'));
        let (tag, tail) = tail.split_once('>').unwrap();
        rest = tail;
        if let Some(name) = tag.strip_prefix('/') {
            prop_assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            prop_assert_eq!(tag.matches('"').count() % 2, 0);
            open.push(tag.split(' ').next().unwrap());
        }
    }
    prop_assert!(open.is_empty());
    Ok(())
}
