//! Folded text, one stack per line: `service;frame;…;leaf count`, root first. `docs/folded-format.md` is its contract.
//!
//! It is for scripts: frames are names only, so stacks that differ in module or source line are one line.

mod parse;

use std::collections::HashMap;
use std::io;

pub use parse::{FoldedLine, ParseError, parse};

use crate::frames::{self, FrameView};
use crate::tree::nanoseconds_per_unit;
use crate::{FrameKind, Location, Profile, Series, StackId, labels};

/// What the counts at the end of the lines are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// The profile's values as they are: samples.
    #[default]
    Samples,
    /// Values as time: samples × period.
    Nanoseconds,
}

/// The name of the service of series that have none.
pub const NO_SERVICE: &str = "unknown";

/// Writes `profile`, lines sorted by their bytes. [`io::ErrorKind::InvalidInput`] if its values are no time but
/// [`Unit::Nanoseconds`] is asked for.
pub fn write(profile: &Profile, unit: Unit, out: &mut impl io::Write) -> io::Result<()> {
    let factor = match unit {
        Unit::Samples => 1,
        Unit::Nanoseconds => nanoseconds_per_unit(&profile.value_type, profile.period_ns)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, NoTime))?,
    };
    for (stack, value) in lines(profile) {
        writeln!(out, "{stack} {}", u128::from(value) * u128::from(factor))?;
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("the values of this profile are no time")]
struct NoTime;

/// Text of the stack and its value, sorted and each once.
fn lines(profile: &Profile) -> Vec<(String, u64)> {
    let mut sums: HashMap<(&str, StackId), u64> = HashMap::new();
    for sample in &profile.samples {
        let service = profile.series(sample.series).map_or(NO_SERVICE, service_of);
        let sum = sums.entry((service, sample.stack)).or_default();
        *sum = sum.saturating_add(sample.value);
    }
    let frames: Vec<String> =
        profile.locations.iter().map(|location| frames_text(profile, location)).collect();
    let texts = sums.into_iter().map(|((service, stack), value)| {
        let mut line = String::new();
        push_escaped(&mut line, service);
        for location in profile.stack(stack).into_iter().flatten().rev() {
            line.push_str(frames.get(location.0 as usize).map_or("", String::as_str));
        }
        (line, value)
    });
    let mut lines: Vec<_> = texts.collect();
    lines.sort_unstable();
    lines.dedup_by(|same, kept| {
        let equal = same.0 == kept.0;
        if equal {
            kept.1 = kept.1.saturating_add(same.1);
        }
        equal
    });
    lines
}

/// The service a series belongs to.
pub(crate) fn service_of(series: &Series) -> &str {
    series.get(labels::SERVICE).map_or(NO_SERVICE, String::as_str)
}

/// The frames of a location, each after a `;`.
fn frames_text(profile: &Profile, location: &Location) -> String {
    let mut text = String::new();
    for frame in frames::frames_of(profile, location) {
        text.push(';');
        push_frame(&mut text, &frame);
    }
    text
}

/// The name with the suffix of its kind: `_[k]` for the kernel (inlined or not), `_[g]` where the unwinder guessed, `_[i]` for
/// other inlined frames.
fn push_frame(line: &mut String, frame: &FrameView<'_>) {
    push_escaped(line, &frame.name);
    match frame.kind {
        FrameKind::Kernel => line.push_str("_[k]"),
        FrameKind::Truncated => {}
        _ if frame.low_confidence => line.push_str("_[g]"),
        _ if frame.inlined => line.push_str("_[i]"),
        _ => {}
    }
}

/// `;` becomes `:`, control characters (a newline above all) become a space.
fn push_escaped(line: &mut String, name: &str) {
    line.extend(name.chars().map(|c| match c {
        ';' => ':',
        c if c.is_control() => ' ',
        c => c,
    }));
}
