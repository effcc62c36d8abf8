//! Seeds that carry a profile: the same one in every format.

use anyhow::Result;
use infrared_profile::{
    Builder, FrameKind, Location, LocationId, Profile, Series, ValueType, labels, pprof,
    tree::{CallTree, TreeOptions, encode::encode},
};
use prost::Message;

use crate::Seed;

const START_NS: u64 = 1_700_000_000_000_000_000;
const PERIOD_NS: u64 = 10_101_010;

pub(crate) fn seeds() -> Result<Vec<Seed>> {
    let profile = profile();
    let otlp = infrared_wire::to_otlp(std::slice::from_ref(&profile)).encode_to_vec();
    let mut packed = Vec::new();
    pprof::write(&profile, &["a comment"], &mut packed)?;
    Ok(vec![
        Seed { target: "otlp", name: "shop", bytes: otlp.clone() },
        Seed { target: "otlp_validate", name: "shop", bytes: otlp },
        Seed { target: "pprof", name: "shop", bytes: packed },
        Seed { target: "tree", name: "shop", bytes: encode(&call_tree(&profile)) },
    ])
}

fn call_tree(profile: &Profile) -> CallTree {
    let options =
        TreeOptions { group_by: vec![labels::SERVICE.to_owned()], ..TreeOptions::default() };
    CallTree::from_profile(profile, &options)
}

/// Two series; native, inlined, kernel, unnamed and truncated frames; a recursion.
fn profile() -> Profile {
    let mut b = Builder::new(ValueType::cpu_samples(), START_NS, PERIOD_NS);
    let main = frame(&mut b, &["main"], FrameKind::Native, "/usr/bin/shop");
    let walk = frame(&mut b, &["walk"], FrameKind::Native, "/usr/bin/shop");
    let parse = frame(&mut b, &["next", "parse"], FrameKind::Native, "/usr/bin/shop");
    let read = frame(&mut b, &["ksys_read"], FrameKind::Kernel, "[kernel]");
    let unnamed =
        b.location(Location { address: 0x7f00_1000, low_confidence: true, ..Location::default() });
    let cut = b.truncated("no table");
    let [shop, api] = [("shop", 7), ("api", 9)].map(|(name, pid)| b.series(series(name, pid)));
    for (series, leaf_first, count) in [
        (shop, &[walk, walk, main][..], 5),
        (shop, &[read, parse, main], 3),
        (api, &[unnamed, cut], 1),
    ] {
        let stack = b.stack(leaf_first);
        (0..count).for_each(|i| b.add_at(series, stack, 1, START_NS + i));
    }
    b.finish(10_000_000_000)
}

fn series(service: &str, pid: u32) -> Series {
    let pairs = [(labels::SERVICE, service.to_owned()), (labels::PID, pid.to_string())];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn frame(b: &mut Builder, names: &[&str], kind: FrameKind, path: &str) -> LocationId {
    let lines = names.iter().map(|name| b.line(name, "", "src/shop.c", 7)).collect();
    let module = Some(b.module(path, "c0ffee"));
    b.location(Location { kind, module, address: 0x1000, lines, ..Location::default() })
}
