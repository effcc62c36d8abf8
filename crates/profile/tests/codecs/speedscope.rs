use std::path::Path;
use std::process::Command;

use infrared_profile::Profile;
use infrared_profile::{labels, speedscope};
use proptest::prelude::*;
use serde_json::Value;

use crate::profiles::{PERIOD_NS, any_profile, shop};

fn written(profile: &Profile, by: &[&str]) -> Vec<u8> {
    let by: Vec<String> = by.iter().map(|label| (*label).to_owned()).collect();
    let mut out = Vec::new();
    speedscope::write(profile, "a test", &by, &mut out).unwrap();
    out
}

fn document(profile: &Profile, by: &[&str]) -> Value {
    serde_json::from_slice(&written(profile, by)).unwrap()
}

#[test]
fn each_service_or_value_of_a_label_is_a_profile() {
    let names = |by: &[&str]| -> Vec<String> {
        let document = document(&shop(), by);
        let profiles = document["profiles"].as_array().unwrap();
        profiles.iter().map(|profile| profile["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["api", "shop"]);
    assert_eq!(names(&[labels::THREAD_NAME]), ["api / api", "shop / main", "shop / worker"]);
}

#[test]
fn frames_are_root_first_and_say_what_they_are() {
    let document = document(&shop(), &[]);
    let shop = &document["profiles"][1];
    let name =
        |at: &Value| document["shared"]["frames"][at.as_u64().unwrap() as usize]["name"].clone();
    let stack: Vec<_> = shop["samples"][1].as_array().unwrap().iter().map(name).collect();
    assert_eq!(stack, ["main", "parse; all", "next [inlined]", "ksys_read [kernel]"]);
    assert_eq!(shop["weights"][1], 3 * PERIOD_NS);
    assert_eq!(shop["unit"], "nanoseconds");
}

proptest! {
    #[test]
    fn weights_are_the_whole_time(profile in any_profile()) {
        for by in [&[][..], &[labels::THREAD_NAME]] {
            let document = document(&profile, by);
            let mut ends = 0;
            for part in document["profiles"].as_array().unwrap() {
                let weights = part["weights"].as_array().unwrap();
                let sum: u64 = weights.iter().map(|weight| weight.as_u64().unwrap()).sum();
                prop_assert_eq!(weights.len(), part["samples"].as_array().unwrap().len());
                prop_assert_eq!(&part["endValue"], sum);
                ends += sum;
            }
            prop_assert_eq!(ends, profile.total() * PERIOD_NS);
        }
    }
}

const VALIDATE: &str = r"
const fs = require('fs');
const Ajv = require('ajv');
const schema = JSON.parse(fs.readFileSync(
  require.resolve('speedscope/dist/release/file-format-schema.json'), 'utf8'));
const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
const valid = validate(JSON.parse(fs.readFileSync(process.argv[2], 'utf8')));
if (!valid) { console.error(JSON.stringify(validate.errors)); process.exit(3); }
";

/// Runs the schema of the `speedscope` package over a file, in a folder that keeps the packages between runs.
fn validated(bytes: &[u8], name: &str) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("speedscope");
    std::fs::create_dir_all(&folder).unwrap();
    let packages = ["speedscope@1.25.0", "ajv@8.17.1"];
    if !folder.join("node_modules/ajv/package.json").exists() {
        std::fs::write(folder.join("package.json"), r#"{"private": true}"#).unwrap();
        let flags = ["install", "--no-audit", "--no-fund", "--ignore-scripts"];
        let mut npm = Command::new("npm");
        let output = npm.args(flags).args(packages).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::write(folder.join("validate.cjs"), VALIDATE).unwrap();
    std::fs::write(folder.join(name), bytes).unwrap();
    let mut node = Command::new("node");
    let output = node.args(["validate.cjs", name]).current_dir(&folder).output().unwrap();
    match output.status.code() {
        Some(0) => Ok(()),
        Some(3) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn files_satisfy_the_schema_of_speedscope() {
    let good = written(&shop(), &[labels::THREAD_NAME]);
    assert_eq!(validated(&good, "good.json"), Ok(()));
    let empty = written(&infrared_profile::merge::filter(&shop(), |_, _| false), &[]);
    assert_eq!(validated(&empty, "empty.json"), Ok(()));
    let bad = String::from_utf8(good).unwrap().replace("\"weights\"", "\"weight\"");
    assert!(validated(bad.as_bytes(), "bad.json").is_err(), "the validator accepts everything");
}
