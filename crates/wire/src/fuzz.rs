//! Entry points for fuzzing: they return on every input, and what was accepted stays whole.

use crate::{Limits, decode_request, from_otlp, to_otlp, validate};

fn small() -> Limits {
    Limits { decoded_bytes: 16 << 20, profile_bytes: 16 << 20, profiles: 16, ..Limits::default() }
}

/// Decodes `data` as a request, takes its profiles in and sends them again.
///
/// # Panics
/// If what is sent again does not conform, or has other totals.
pub fn fuzz_otlp(data: &[u8]) {
    let limits = small();
    let Ok(request) = decode_request(data, &limits) else { return };
    let Ok(profiles) = from_otlp(&request, &limits) else { return };
    let again = to_otlp(&profiles);
    assert_eq!(validate(&again), []);
    let total = |profiles: &[infrared_profile::Profile]| -> u128 {
        profiles.iter().map(|profile| u128::from(profile.total())).sum()
    };
    if profiles.iter().all(|profile| i64::try_from(profile.total()).is_ok()) {
        let limits = Limits { profile_bytes: usize::MAX, profiles: usize::MAX, ..limits };
        let back = from_otlp(&again, &limits).map(|back| total(&back));
        assert_eq!(back, Ok(total(&profiles)));
    }
}

/// Decodes `data` as a request and validates it.
pub fn fuzz_otlp_validate(data: &[u8]) {
    if let Ok(request) = decode_request(data, &small()) {
        drop(validate(&request));
    }
}
