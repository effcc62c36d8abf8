//! Profiles as requests of a size that receivers take.

use infrared_profile::{Profile, merge};
use prost::Message;

/// gRPC receivers take 4 MiB unless they were told otherwise.
const LIMIT_BYTES: usize = 4 << 20;

/// Encoded requests that together hold `profiles`. One is larger than the limit only if a single sample is.
pub(super) fn requests(profiles: &[Profile]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    split(profiles, LIMIT_BYTES, &mut out);
    out
}

fn split(profiles: &[Profile], limit: usize, out: &mut Vec<Vec<u8>>) {
    let request = infrared_wire::to_otlp(profiles);
    if request.resource_profiles.is_empty() {
        return;
    }
    if request.encoded_len() <= limit {
        out.push(request.encode_to_vec());
        return;
    }
    drop(request);
    match profiles {
        [] => {}
        [profile] if profile.samples.len() > 1 => {
            for half in halves(profile) {
                split(&[half], limit, out);
            }
        }
        [profile] => {
            out.push(infrared_wire::to_otlp(std::slice::from_ref(profile)).encode_to_vec());
        }
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            split(left, limit, out);
            split(right, limit, out);
        }
    }
}

fn halves(profile: &Profile) -> [Profile; 2] {
    let middle = profile.samples.len() / 2;
    [true, false].map(|is_first| {
        let mut index = 0;
        merge::filter(profile, |_, _| {
            index += 1;
            (index <= middle) == is_first
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use infrared_profile::{Builder, Series, ValueType, labels};
    use infrared_wire::{Limits, decode_request, from_otlp};

    fn profile(series: u64) -> Profile {
        let mut builder = Builder::new(ValueType::cpu_samples(), 1_000, 10);
        for number in 0..series {
            let name = format!("service-{number}-{}", "x".repeat(100));
            let series = builder.series(Series::from([(labels::SERVICE.to_owned(), name)]));
            let frame = builder.event("work");
            let stack = builder.stack(&[frame]);
            builder.add(series, stack, number + 1);
        }
        builder.finish(1_000)
    }

    fn total(request: &[u8]) -> u64 {
        let limits = Limits::default();
        let request = decode_request(request, &limits).unwrap();
        from_otlp(&request, &limits).unwrap().iter().map(Profile::total).sum()
    }

    #[test]
    fn every_request_is_within_the_limit_and_nothing_is_lost() {
        let profile = profile(100);
        let mut requests = Vec::new();
        split(std::slice::from_ref(&profile), 4096, &mut requests);
        assert!(requests.len() > 1);
        assert!(requests.iter().all(|request| request.len() <= 4096));
        assert_eq!(requests.iter().map(|request| total(request)).sum::<u64>(), profile.total());
    }

    #[test]
    fn a_sample_that_is_too_large_goes_by_itself() {
        let mut requests = Vec::new();
        split(&[profile(2)], 10, &mut requests);
        assert_eq!(requests.len(), 2);
    }

    #[test]
    fn nothing_makes_no_request() {
        assert!(requests(&[profile(0)]).is_empty());
        assert_eq!(requests(&[profile(3), profile(2)]).len(), 1);
    }
}
