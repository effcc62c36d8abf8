//! Entry points for fuzzing: they return on every input, and what was accepted stays whole.

use crate::tree::encode;
use crate::{folded, pprof};

/// Reads `data` as a pprof profile and writes what it read.
///
/// # Panics
/// If the written values do not add up to the read ones.
pub fn fuzz_pprof(data: &[u8]) {
    let limits = pprof::ReadLimits {
        inflated_bytes: 1 << 20,
        decoded_bytes: 16 << 20,
        ..Default::default()
    };
    for profile in pprof::read(data, &limits).into_iter().flatten() {
        let mut text = Vec::new();
        let written = folded::write(&profile, folded::Unit::Samples, &[], &mut text);
        assert!(written.is_ok() || profile.samples.is_empty());
        let text = String::from_utf8_lossy(&text);
        let sum = folded::parse(&text).map(|lines| lines.iter().map(|line| line.count).sum());
        assert_eq!(sum, Ok(profile.total()));
    }
}

/// Reads `data` as a tree and writes it again.
///
/// # Panics
/// If the second reading differs from the first.
pub fn fuzz_tree(data: &[u8]) {
    if let Ok(tree) = encode::decode(data) {
        let again = encode::decode(&encode::encode(&tree));
        assert!(again.is_ok_and(|again| again.totals() == tree.totals()));
    }
}

/// Reads `data` as folded text.
pub fn fuzz_folded(data: &[u8]) {
    drop(folded::parse(&String::from_utf8_lossy(data)));
}
