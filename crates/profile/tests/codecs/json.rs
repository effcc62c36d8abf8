use infrared_profile::{Profile, frames, json};
use proptest::prelude::*;
use serde_json::Value;

use crate::profiles::{any_profile, shop};

fn written(profile: &Profile) -> Value {
    let mut out = Vec::new();
    json::write(profile, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn a_frame_tells_all_that_is_known_of_it() {
    let document = written(&shop());
    let expected = serde_json::json!([
        {"name": "parse; all", "kind": "native", "module": "/usr/bin/shop", "build_id": "c0ffee",
         "address": "0x1020", "file": "src/shop.c", "line": 7},
        {"name": "next", "kind": "native", "module": "/usr/bin/shop", "build_id": "c0ffee",
         "address": "0x1020", "file": "src/shop.c", "line": 7, "inlined": true},
    ]);
    assert_eq!(Value::Array(document["frames"].as_array().unwrap()[2..4].to_vec()), expected);
    assert_eq!(document["stacks"][1], serde_json::json!([0, 2, 3, 4]));
    assert_eq!(document["total"], 15);
    assert_eq!(document["samples"][0]["timestamps_unix_ns"].as_array().unwrap().len(), 5);
}

proptest! {
    #[test]
    fn stacks_are_the_profiles_root_first(profile in any_profile()) {
        let document = written(&profile);
        let mut total = 0;
        for (sample, theirs) in profile.samples.iter().zip(document["samples"].as_array().unwrap()) {
            let stack = profile.stack(sample.stack).unwrap();
            let ours: Vec<_> =
                frames::root_first(&profile, stack).map(|f| f.name.into_owned()).collect();
            let indices = document["stacks"][theirs["stack"].as_u64().unwrap() as usize].clone();
            let names: Vec<_> = indices.as_array().unwrap().iter()
                .map(|at| document["frames"][at.as_u64().unwrap() as usize]["name"].as_str().unwrap())
                .collect();
            prop_assert_eq!(ours, names);
            total += theirs["value"].as_u64().unwrap();
        }
        prop_assert_eq!(total, profile.total());
    }
}
