//! speedscope's JSON (file-format-schema.json of speedscope 1.25): one `sampled` profile for each service, or for each value of labels
//! besides.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use crate::frames::{self, FrameView};
use crate::tree::nanoseconds_per_unit;
use crate::{FrameKind, Interner, Profile, Series, StackId, folded};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
struct Frame {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

#[derive(Serialize)]
struct Shared<'f> {
    frames: Vec<&'f Frame>,
}

#[derive(Serialize)]
struct Sampled {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    unit: &'static str,
    #[serde(rename = "startValue")]
    start_value: u64,
    #[serde(rename = "endValue")]
    end_value: u64,
    /// Root first.
    samples: Vec<Vec<u32>>,
    weights: Vec<u64>,
}

#[derive(Serialize)]
struct File<'f> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    name: &'f str,
    exporter: &'static str,
    #[serde(rename = "activeProfileIndex", skip_serializing_if = "Option::is_none")]
    active_profile_index: Option<u32>,
    shared: Shared<'f>,
    profiles: Vec<Sampled>,
}

/// Writes `profile` under the title `name`: a profile for each service, and for each of the values of the labels `by`. Weights are nanoseconds where the values are or stand for time.
pub fn write(
    profile: &Profile,
    name: &str,
    by: &[String],
    out: &mut impl io::Write,
) -> io::Result<()> {
    let mut groups: BTreeMap<String, BTreeMap<StackId, u64>> = BTreeMap::new();
    for sample in &profile.samples {
        let name = profile.series(sample.series).map(|series| group_name(series, by));
        let sums = groups.entry(name.unwrap_or_default()).or_default();
        let sum = sums.entry(sample.stack).or_default();
        *sum = sum.saturating_add(sample.value);
    }
    let mut frames = Interner::default();
    let mut intern = |view| frames.intern(frame(profile, &view));
    let locations = profile.locations.iter();
    let frames_of: Vec<Vec<u32>> = locations
        .map(|location| frames::frames_of(profile, location).map(&mut intern).collect())
        .collect();
    let profiles: Vec<_> = groups
        .into_iter()
        .map(|(name, stacks)| sampled(profile, name, stacks, &frames_of))
        .collect();
    let file = File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        name,
        exporter: concat!("infrared@", env!("CARGO_PKG_VERSION")),
        active_profile_index: (!profiles.is_empty()).then_some(0),
        shared: Shared { frames: frames.iter().collect() },
        profiles,
    };
    Ok(serde_json::to_writer(out, &file)?)
}

fn group_name(series: &Series, by: &[String]) -> String {
    folded::group_of(series, by).collect::<Vec<_>>().join(" / ")
}

fn sampled(
    profile: &Profile,
    name: String,
    stacks: BTreeMap<StackId, u64>,
    frames_of: &[Vec<u32>],
) -> Sampled {
    let factor = nanoseconds_per_unit(&profile.value_type, profile.period_ns);
    let mut result = Sampled {
        kind: "sampled",
        name,
        unit: if factor.is_some() { "nanoseconds" } else { unit(&profile.value_type.unit) },
        start_value: 0,
        end_value: 0,
        samples: Vec::new(),
        weights: Vec::new(),
    };
    for (stack, value) in stacks {
        let weight = value.saturating_mul(factor.unwrap_or(1));
        let stack = profile.stack(stack).into_iter().flatten().rev();
        let frames = stack.filter_map(|location| frames_of.get(location.0 as usize));
        result.samples.push(frames.flatten().copied().collect());
        result.weights.push(weight);
        result.end_value = result.end_value.saturating_add(weight);
    }
    result
}

/// The units that the format knows beside times.
fn unit(unit: &str) -> &'static str {
    match unit {
        "bytes" => "bytes",
        _ => "none",
    }
}

/// With the source file, or else the module: speedscope colours by it. Without the line: it would part the calls that one
/// function makes from different lines.
fn frame(profile: &Profile, view: &FrameView<'_>) -> Frame {
    let suffix = match view.kind {
        FrameKind::Kernel => " [kernel]",
        _ if view.inlined => " [inlined]",
        _ => "",
    };
    let module = view.module.and_then(|id| profile.module(id));
    let texts = [Some(view.line.file), module.map(|module| module.path)];
    let file = texts.into_iter().flatten().map(|id| profile.strings.get(id));
    Frame {
        name: format!("{}{suffix}", view.name),
        file: file.into_iter().find(|file| !file.is_empty()).map(str::to_owned),
    }
}
