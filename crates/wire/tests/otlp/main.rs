//! Profiles over the wire and back, what other profilers send, and what an attacker would.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod foreign;
mod hostile;
mod messages;
mod old_protocol;
#[path = "../../../profile/tests/codecs/profiles.rs"]
mod profiles;
mod round_trip;
mod validation;
