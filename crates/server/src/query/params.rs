//! The parameters that every query takes, and those of its own. An unknown one is an error: a misspelt filter would
//! otherwise answer another question.

use infrared_profile::{ValueType, labels};
use infrared_store::{Matcher, Selection, TimeRange};

use crate::error::ApiError;
use crate::state::now_ms;

/// `?name=value` pairs in order.
pub(crate) type Pairs = axum::extract::Query<Vec<(String, String)>>;

const DEFAULT_RANGE_MS: i64 = 15 * 60_000;
const MAX_PAIRS: usize = 1000;

/// Parsed common parameters, and the rest.
pub(crate) struct Params {
    pub(crate) selection: Selection,
    /// Names asked for with `service`.
    pub(crate) services: Vec<String>,
    own: Vec<(String, String)>,
}

impl Params {
    /// `own` are the names of the endpoint's own parameters.
    pub(crate) fn parse(pairs: Pairs, own: &[&str]) -> Result<Self, ApiError> {
        Self::parse_at(pairs.0, own, now_ms())
    }

    fn parse_at(pairs: Vec<(String, String)>, own: &[&str], now_ms: i64) -> Result<Self, ApiError> {
        if pairs.len() > MAX_PAIRS {
            return Err(ApiError::invalid(format!("more than {MAX_PAIRS} parameters")));
        }
        let mut range = TimeRange { from_ms: now_ms - DEFAULT_RANGE_MS, to_ms: now_ms };
        let mut value_type = ValueType::cpu_samples();
        let mut filters: Vec<(String, Vec<String>)> = Vec::new();
        let mut matchers = Vec::new();
        let mut rest = Vec::new();
        for (name, value) in pairs {
            match name.as_str() {
                "from" => range.from_ms = time(&name, &value, now_ms)?,
                "to" => range.to_ms = time(&name, &value, now_ms)?,
                "type" => value_type = value_type_of(&value)?,
                "exclude_self" => {
                    if flag(&name, &value)? {
                        let (label, values) = (labels::SELF.into(), vec!["true".into()]);
                        matchers.push(Matcher::NoneOf { label, values });
                    }
                }
                "service" => add(&mut filters, labels::SERVICE, value),
                _ => match name.strip_prefix("label.") {
                    Some(label) if !label.is_empty() => add(&mut filters, label, value),
                    _ if own.contains(&name.as_str()) => rest.push((name, value)),
                    _ => {
                        let message = format!("there is no parameter {name:?} here");
                        return Err(ApiError::invalid(message));
                    }
                },
            }
        }
        if range.from_ms >= range.to_ms {
            return Err(ApiError::invalid("from must be before to"));
        }
        let named = |(label, _): &&(String, Vec<String>)| label == labels::SERVICE;
        let services = filters.iter().find(named).map(|(_, s)| s.clone()).unwrap_or_default();
        let any = |(label, values)| Matcher::AnyOf { label, values };
        matchers.extend(filters.into_iter().map(any));
        Ok(Self { selection: Selection { range, value_type, matchers }, services, own: rest })
    }

    /// The last value of an own parameter.
    pub(crate) fn own(&self, name: &str) -> Option<&str> {
        self.own.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A whole number within `bounds`.
    pub(crate) fn number(
        &self,
        name: &str,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.own(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|n| bounds.contains(n));
        number.map(Some).ok_or_else(|| {
            let (low, high) = (bounds.start(), bounds.end());
            ApiError::invalid(format!("{name} must be a whole number from {low} to {high}"))
        })
    }
}

fn add(filters: &mut Vec<(String, Vec<String>)>, label: &str, value: String) {
    match filters.iter_mut().find(|(name, _)| name == label) {
        Some((_, values)) => values.push(value),
        None => filters.push((label.to_owned(), vec![value])),
    }
}

fn flag(name: &str, value: &str) -> Result<bool, ApiError> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err(ApiError::invalid(format!("{name} must be true or false"))),
    }
}

fn value_type_of(name: &str) -> Result<ValueType, ApiError> {
    match name {
        "cpu" => Ok(ValueType::cpu_samples()),
        "events" => Ok(ValueType::events()),
        _ => Err(ApiError::invalid("type must be cpu or events")),
    }
}

/// Unix milliseconds, `now`, or `-15m` and `now-15m`.
fn time(name: &str, text: &str, now_ms: i64) -> Result<i64, ApiError> {
    let relative = text.strip_prefix("now").unwrap_or(text);
    let parsed = match relative.strip_prefix('-') {
        _ if relative.is_empty() && text == "now" => Some(now_ms),
        Some(age) => duration_ms(age).and_then(|age| now_ms.checked_sub(age)),
        None => text.parse().ok(),
    };
    let sensible = |ms: &i64| (0..=i64::from(u32::MAX) * 1000).contains(ms);
    parsed.filter(sensible).ok_or_else(|| {
        ApiError::invalid(format!("{name} must be Unix milliseconds, now, or an age such as -15m"))
    })
}

/// `90s`, `15m`, `1h`, `7d`, `2w`.
fn duration_ms(text: &str) -> Option<i64> {
    let unit = text.char_indices().last()?;
    let unit_ms = match unit.1 {
        's' => 1000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        'w' => 7 * 86_400_000,
        _ => return None,
    };
    let count: u32 = text[..unit.0].parse().ok()?;
    i64::from(count).checked_mul(unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    fn parse(query: &[(&str, &str)]) -> Result<Params, String> {
        let pairs = query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Params::parse_at(pairs, &["by"], NOW).map_err(|e| format!("{e:?}"))
    }

    #[test]
    fn times_are_absolute_or_relative_to_now() {
        for (text, expected) in [
            ("now", NOW),
            ("-15m", NOW - 900_000),
            ("now-1h", NOW - 3_600_000),
            ("-2w", NOW - 14 * 86_400_000),
            ("-0s", NOW),
            ("1780000000000", 1_780_000_000_000),
        ] {
            assert_eq!(time("from", text, NOW).ok(), Some(expected), "{text}");
        }
        for text in [
            "",
            "-",
            "now-",
            "-m",
            "-1",
            "-1y",
            "+5m",
            "-99999999w",
            "soon",
            "-1m1",
            "now5m",
            "-\u{1f525}",
            "-5\u{1f525}",
            "99999999999999999999",
        ] {
            assert!(time("from", text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn filters_of_one_label_are_alternatives() {
        let query = [("service", "a"), ("label.host.name", "h"), ("service", "b"), ("by", "x")];
        let params = parse(&query).expect("parse");
        assert_eq!(params.services, ["a", "b"]);
        assert_eq!(params.selection.matchers.len(), 2);
        assert_eq!(params.own("by"), Some("x"));
        let excluded = parse(&[("exclude_self", "true")]).expect("parse");
        assert!(matches!(&excluded.selection.matchers[..], [Matcher::NoneOf { .. }]));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for query in [
            [("servce", "a")].as_slice(),
            &[("label.", "a")],
            &[("type", "heap")],
            &[("exclude_self", "maybe")],
            &[("from", "now"), ("to", "-5m")],
        ] {
            assert!(parse(query).is_err(), "{query:?}");
        }
    }
}
