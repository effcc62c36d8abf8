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
/// What stands for the value of a label that a series lacks.
const NO_VALUE: &str = "unknown";

/// Writes `profile`, lines sorted by their bytes; the values of the labels `by` stand as frames below the service.
/// [`io::ErrorKind::InvalidInput`] if its values are no time but [`Unit::Nanoseconds`] is asked for.
pub fn write(
    profile: &Profile,
    unit: Unit,
    by: &[String],
    out: &mut impl io::Write,
) -> io::Result<()> {
    let factor = match unit {
        Unit::Samples => 1,
        Unit::Nanoseconds => nanoseconds_per_unit(&profile.value_type, profile.period_ns)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, NoTime))?,
    };
    for (stack, value) in lines(profile, by) {
        writeln!(out, "{stack} {}", u128::from(value) * u128::from(factor))?;
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("the values of this profile are no time")]
struct NoTime;

/// Text of the stack and its value, sorted and each once.
fn lines(profile: &Profile, by: &[String]) -> Vec<(String, u64)> {
    let roots: Vec<String> = profile.series.iter().map(|series| root_text(series, by)).collect();
    let mut sums: HashMap<(&str, StackId), u64> = HashMap::new();
    for sample in &profile.samples {
        let root = roots.get(sample.series.0 as usize).map_or(NO_SERVICE, String::as_str);
        let sum = sums.entry((root, sample.stack)).or_default();
        *sum = sum.saturating_add(sample.value);
    }
    let frames: Vec<String> =
        profile.locations.iter().map(|location| frames_text(profile, location)).collect();
    let texts = sums.into_iter().map(|((root, stack), value)| {
        let mut line = root.to_owned();
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

/// The service of a series, and its values of the labels.
fn root_text(series: &Series, by: &[String]) -> String {
    let mut text = String::new();
    for (depth, name) in group_of(series, by).enumerate() {
        if depth > 0 {
            text.push(';');
        }
        push_escaped(&mut text, name);
    }
    text
}

/// What a series is told apart by: its service, and its values of the labels.
pub(crate) fn group_of<'s>(series: &'s Series, by: &'s [String]) -> impl Iterator<Item = &'s str> {
    let values = by.iter().map(|label| series.get(label).map_or(NO_VALUE, String::as_str));
    std::iter::once(service_of(series)).chain(values)
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
