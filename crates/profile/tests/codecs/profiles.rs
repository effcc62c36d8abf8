//! Profiles to test with.

use infrared_profile::{
    Builder, FrameKind, Line, Location, LocationId, Profile, Series, ValueType, labels,
};
use proptest::prelude::*;

pub(crate) const PERIOD_NS: u64 = 10_101_010;
pub(crate) const START_NS: u64 = 1_700_000_000_000_000_000;

pub(crate) fn series(service: &str, thread: &str, pid: u32) -> Series {
    let pairs = [
        (labels::SERVICE, service.to_owned()),
        (labels::THREAD_NAME, thread.to_owned()),
        (labels::PID, pid.to_string()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A location of one function for each name, innermost first.
pub(crate) fn location(b: &mut Builder, names: &[&str], kind: FrameKind, path: &str) -> LocationId {
    let lines: Vec<Line> = names.iter().map(|name| b.line(name, "", "src/shop.c", 7)).collect();
    let module = b.module(path, "c0ffee");
    let address = b.profile().locations.len() as u64 * 16 + 0x1000;
    b.location(Location { kind, module: Some(module), address, lines, ..Location::default() })
}

/// Two services; kernel, inlined, unnamed, guessed and truncated frames; a recursion.
pub(crate) fn shop() -> Profile {
    let mut b = Builder::new(ValueType::cpu_samples(), START_NS, PERIOD_NS);
    let main = location(&mut b, &["main"], FrameKind::Native, "/usr/bin/shop");
    let walk = location(&mut b, &["walk"], FrameKind::Native, "/usr/bin/shop");
    let parse = location(&mut b, &["next", "parse; all"], FrameKind::Native, "/usr/bin/shop");
    let read = location(&mut b, &["ksys_read"], FrameKind::Kernel, "[kernel]");
    let goexit = location(&mut b, &["runtime.goexit"], FrameKind::Go, "/usr/bin/api");
    let jit = b.location(Location {
        kind: FrameKind::Jit,
        address: 0x7f00_0000_1000,
        low_confidence: true,
        ..Location::default()
    });
    let cut = b.truncated("no table");
    let shop = b.series(series("shop", "worker", 7));
    let main_thread = b.series(series("shop", "main", 7));
    let api = b.series(series("api", "api", 9));
    let mut add = |series, leaf_first: &[LocationId], count: u64| {
        let stack = b.stack(leaf_first);
        (0..count).for_each(|i| b.add_at(series, stack, 1, START_NS + 1000 * count + i));
    };
    add(shop, &[walk, walk, walk, main], 5);
    add(shop, &[read, parse, main], 3);
    add(main_thread, &[parse, main], 2);
    add(main_thread, &[jit, cut], 1);
    add(api, &[goexit], 4);
    b.finish(10_000_000_000)
}

/// A profile of counts whose stacks are drawn from a small set of functions, so that they share paths.
pub(crate) fn any_profile() -> impl Strategy<Value = Profile> {
    let kind = prop_oneof![
        Just(FrameKind::Native),
        Just(FrameKind::Kernel),
        Just(FrameKind::Go),
        Just(FrameKind::Jit),
        Just(FrameKind::Runtime),
    ];
    let name = prop_oneof!["[a-d]{0,2}", "[ -~]{0,12}", "\\PC{0,4}"];
    let place =
        (prop::collection::vec(name, 0..3), kind, 0..3_u8, any::<(bool, bool)>(), 0..99_u64);
    let places = prop::collection::vec(place, 1..12);
    let sample = (0..4_u8, prop::collection::vec(any::<prop::sample::Index>(), 0..9), 0..1000_u64);
    (places, prop::collection::vec(sample, 0..30), any::<bool>()).prop_map(
        |(places, samples, timed)| {
            let mut b = Builder::new(ValueType::cpu_samples(), START_NS, PERIOD_NS);
            let mut locations = Vec::new();
            for (names, kind, module, (low_confidence, unnamed), address) in places {
                let file = ["", "a.c", "b.c"][address as usize % 3];
                let line = address as u32 % 4;
                let lines = names.iter().map(|name| b.line(name, "", file, line)).collect();
                let module = (module > 0).then(|| b.module(&format!("/lib/{module}.so"), "ab"));
                let own = Location { kind, module, address, lines, low_confidence, unnamed };
                locations.push(b.location(own));
            }
            for (who, stack, value) in samples {
                let series = b.series(series(&format!("service {who}"), "worker", 1));
                let stack: Vec<_> = stack.iter().map(|at| *at.get(&locations)).collect();
                let stack = b.stack(&stack);
                let times: Vec<u64> = (0..value.min(3)).map(|i| START_NS + i).collect();
                b.add_times(series, stack, value, if timed { &times } else { &[] });
            }
            b.finish(1_000_000_000)
        },
    )
}

/// What a profile says, independent of its ids and of the order of its samples.
pub(crate) fn meaning(profile: &Profile) -> Vec<(Series, Vec<String>, u64, Vec<u64>)> {
    let mut samples = Vec::new();
    for sample in profile.samples.iter().filter(|sample| sample.value > 0) {
        let stack = profile.stack(sample.stack).unwrap();
        let frames = infrared_profile::frames::root_first(profile, stack).map(|frame| {
            let module = frame.module.and_then(|id| profile.module(id));
            let module = module.map(|module| {
                (profile.strings.get(module.path), profile.strings.get(module.build_id))
            });
            let file = profile.strings.get(frame.line.file);
            format!(
                "{frame:?} {module:?} {file}",
                frame = (
                    &frame.name,
                    frame.kind,
                    frame.inlined,
                    frame.unnamed,
                    frame.low_confidence,
                    frame.address,
                    frame.line.line,
                )
            )
        });
        let series = profile.series(sample.series).unwrap().clone();
        samples.push((series, frames.collect(), sample.value, sample.timestamps_ns.clone()));
    }
    samples.sort();
    samples
}
