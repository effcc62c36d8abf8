//! Values of options that are more than text.

use std::{ops::RangeInclusive, time::Duration};

use clap::builder::{RangedI64ValueParser, TypedValueParser};

/// Samples a second that the sampler can take.
pub(crate) const FREQUENCIES: RangeInclusive<i64> = 1..=10_000;
/// Process ids: the kernel's `PID_MAX_LIMIT`.
const PIDS: RangeInclusive<i64> = 1..=4_194_304;

pub(crate) fn frequency() -> impl TypedValueParser<Value = u32> {
    RangedI64ValueParser::<u32>::new().range(FREQUENCIES)
}

pub(crate) fn pid() -> impl TypedValueParser<Value = u32> {
    RangedI64ValueParser::<u32>::new().range(PIDS)
}

/// No time is longer: in nanoseconds it fits into 64 bits, together with any uptime.
pub(crate) const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// A time with its unit, such as `10s`, `500ms`, `1h30m` or `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("the unit is missing: `{text}s` are seconds, `{text}m` minutes"));
    }
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() {
        Err("it must be longer than nothing".into())
    } else if duration > LONGEST {
        Err("it must be 10 years at most".into())
    } else {
        Ok(duration)
    }
}

/// `NAME=VALUE`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a label is NAME=VALUE, as in thread=worker")?;
    if name.is_empty() {
        return Err("the label before = has no name".into());
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_their_unit() {
        for (text, milliseconds) in [
            ("10s", Some(10_000)),
            ("500ms", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("7d", Some(604_800_000)),
            ("10", None),
            ("500y", None),
            ("0s", None),
            ("", None),
            ("-1s", None),
            ("99999999999999999999d", None),
        ] {
            let parsed = duration(text).ok().map(|duration| duration.as_millis());
            assert_eq!(parsed, milliseconds, "{text:?}");
        }
    }
}
