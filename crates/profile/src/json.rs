//! A profile as plain JSON, for scripts; `docs/json-format.md` describes it. Stacks are root first, as in all text for people.

use std::io;

use serde::{Serialize, Serializer};

use crate::frames::{self, FrameView};
use crate::{FrameKind, Profile, Sample, Series, Stack, ValueType};

/// Version of the format.
const VERSION: u32 = 1;

/// Writes `profile` as one JSON object.
pub fn write(profile: &Profile, out: &mut impl io::Write) -> io::Result<()> {
    let mut first_frame = Vec::with_capacity(profile.locations.len());
    let mut frames = Vec::new();
    for location in profile.locations.iter() {
        first_frame.push(frames.len());
        frames.extend(frames::frames_of(profile, location).map(|view| frame(profile, view)));
    }
    first_frame.push(frames.len());
    let document = Document {
        version: VERSION,
        value_type: &profile.value_type,
        start_unix_ns: profile.start_ns,
        duration_ns: profile.duration_ns,
        period_ns: profile.period_ns,
        total: profile.total(),
        frames,
        stacks: Stacks { profile, first_frame: &first_frame },
        series: profile.series.iter().collect(),
        samples: profile.samples.iter().map(JsonSample::from).collect(),
    };
    Ok(serde_json::to_writer(out, &document)?)
}

#[derive(Serialize)]
struct Document<'p> {
    version: u32,
    value_type: &'p ValueType,
    start_unix_ns: u64,
    duration_ns: u64,
    period_ns: u64,
    total: u64,
    frames: Vec<JsonFrame<'p>>,
    stacks: Stacks<'p>,
    series: Vec<&'p Series>,
    samples: Vec<JsonSample<'p>>,
}

#[derive(Serialize)]
struct JsonFrame<'p> {
    name: std::borrow::Cow<'p, str>,
    kind: FrameKind,
    #[serde(skip_serializing_if = "str::is_empty")]
    module: &'p str,
    #[serde(skip_serializing_if = "str::is_empty")]
    build_id: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inlined: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unnamed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    low_confidence: bool,
}

#[derive(Serialize)]
struct JsonSample<'p> {
    series: u32,
    stack: u32,
    value: u64,
    #[serde(skip_serializing_if = "<[u64]>::is_empty")]
    timestamps_unix_ns: &'p [u64],
}

impl<'p> From<&'p Sample> for JsonSample<'p> {
    fn from(sample: &'p Sample) -> Self {
        Self {
            series: sample.series.0,
            stack: sample.stack.0,
            value: sample.value,
            timestamps_unix_ns: &sample.timestamps_ns,
        }
    }
}

/// Each stack as the indices of its frames, made as it is written.
struct Stacks<'p> {
    profile: &'p Profile,
    /// Per location, and one more: its first frame.
    first_frame: &'p [usize],
}

impl Serialize for Stacks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.profile.stacks.iter().map(|stack| self.frames(stack)))
    }
}

impl Stacks<'_> {
    fn frames(&self, stack: &Stack) -> Vec<usize> {
        let range = |location: usize| {
            let start = self.first_frame.get(location).copied().unwrap_or(0);
            start..self.first_frame.get(location + 1).copied().unwrap_or(start)
        };
        stack.iter().rev().flat_map(|location| range(location.0 as usize)).collect()
    }
}

fn frame<'p>(profile: &'p Profile, view: FrameView<'p>) -> JsonFrame<'p> {
    let module = view.module.and_then(|id| profile.module(id));
    JsonFrame {
        name: view.name,
        kind: view.kind,
        module: module.map_or("", |module| profile.strings.get(module.path)),
        build_id: module.map_or("", |module| profile.strings.get(module.build_id)),
        address: (view.address > 0).then(|| format!("0x{:x}", view.address)),
        file: profile.strings.get(view.line.file),
        line: Some(view.line.line).filter(|&line| line > 0),
        inlined: view.inlined,
        unnamed: view.unnamed,
        low_confidence: view.low_confidence,
    }
}
