//! The runner. `INFRARED_FUZZ_TARGET` names the target; the arguments are libFuzzer's.

#![no_main]

use std::sync::LazyLock;

use infrared_fuzz::{Random, Shape, Target, mutate_elf, target};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("INFRARED_FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| panic!("INFRARED_FUZZ_TARGET={name}: there is no such target"))
});

fuzz_target!(|data: &[u8]| (TARGET.run)(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if TARGET.shape == Shape::Elf && !seed.is_multiple_of(3) {
        mutate_elf(data, size, &mut Random::new(u64::from(seed)))
    } else {
        fuzzer_mutate(data, size, max_size)
    }
});
