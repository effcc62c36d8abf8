//! The corpus, each input as it is and changed a little: a quick look that `make fuzz` takes for hours.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use infrared_fuzz::{Random, Shape, TARGETS, Target, mutate_elf};

const LARGEST_SEED: u64 = 20 << 10;
const CHANGES: u64 = 300;
/// Of one input, in a debug build on a loaded machine.
const LONGEST: Duration = Duration::from_secs(10);

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn inputs(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = corpus().join(target.name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

fn run(target: &Target, data: &[u8], what: &str) {
    let begun = Instant::now();
    (target.run)(data);
    assert!(begun.elapsed() < LONGEST, "{} took {:?} for {what}", target.name, begun.elapsed());
}

#[test]
fn every_target_has_small_seeds_and_every_seed_a_target() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let folders = std::fs::read_dir(corpus()).unwrap();
    let folders = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    assert_eq!(folders.collect::<BTreeSet<_>>(), names);
    for target in TARGETS {
        assert!(!inputs(target).is_empty(), "{}", target.name);
        for (path, data) in inputs(target) {
            assert!(data.len() as u64 <= LARGEST_SEED, "{}", path.display());
        }
    }
}

#[test]
fn every_seed_is_read() {
    for target in TARGETS {
        for (path, data) in inputs(target) {
            run(target, &data, &path.display().to_string());
        }
    }
}

#[test]
fn seeds_that_end_early_or_are_changed_are_read() {
    for target in TARGETS {
        for (path, data) in inputs(target) {
            for seed in 0..CHANGES {
                let mut random = Random::new(seed);
                let mut changed = data.clone();
                let len = change(target, &mut changed, &mut random);
                run(target, &changed[..len], &format!("{}, change {seed}", path.display()));
            }
        }
    }
}

fn change(target: &Target, data: &mut [u8], random: &mut Random) -> usize {
    let len = data.len();
    if target.shape == Shape::Elf {
        return mutate_elf(data, len, random);
    }
    for _ in 0..=random.below(4) {
        let at = random.below(len);
        if let Some(byte) = data.get_mut(at) {
            *byte = random.next_u64() as u8;
        }
    }
    if random.below(2) == 0 { random.below(len + 1) } else { len }
}
