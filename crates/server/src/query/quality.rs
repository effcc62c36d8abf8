//! `/api/v1/quality`: what the samples lack, and which samples are lacking.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use infrared_profile::{FrameKind, Profile, Stack, ValueType, labels};
use infrared_store::{Keep, Matcher, Selection};
use serde::Serialize;

use super::params::{Pairs, Params};
use super::select;
use crate::error::ApiError;
use crate::state::App;

/// The profiler's counters of samples that were taken and not delivered start so; the reason follows.
const LOST: &str = "samples_lost_";
const TRUNCATED: &str = "[truncated: ";

#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Quality {
    samples_taken: u64,
    samples_lost: BTreeMap<String, u64>,
    truncated: BTreeMap<String, u64>,
    unnamed_frames: u64,
    low_confidence_frames: u64,
    frames: u64,
    /// Of `user_stacks`: whole, and no frame of them is a guess.
    rooted_share: f64,
    /// Stacks that are whole, but for a guess on the way.
    guessed: u64,
    user_stacks: u64,
}

pub(crate) async fn quality(
    State(app): State<App>,
    pairs: Pairs,
) -> Result<Json<Quality>, ApiError> {
    let params = Params::parse(pairs, &[])?;
    let answer = app.query(move |app, budget| {
        let events = events_of(&params.selection);
        let keep = Keep::Labels(Vec::new());
        let samples = select(app, params.selection, keep.clone(), budget)?;
        let events = select(app, events, keep, budget)?;
        let mut quality = of_samples(&samples.profile);
        quality.samples_lost = lost(&events.profile);
        Ok(quality)
    });
    answer.await.map(Json)
}

/// The counters of the same time and hosts. The kernel cannot say whose the samples were that it lost.
fn events_of(selection: &Selection) -> Selection {
    let by_host = |m: &&Matcher| matches!(m, Matcher::AnyOf { label, .. } if label == labels::HOST);
    Selection {
        range: selection.range,
        value_type: ValueType::events(),
        matchers: selection.matchers.iter().filter(by_host).cloned().collect(),
    }
}

fn of_samples(profile: &Profile) -> Quality {
    let mut quality = Quality::default();
    let mut rooted = 0;
    for sample in &profile.samples {
        quality.samples_taken += sample.value;
        let Some(stack) = profile.stack(sample.stack) else { continue };
        let guessed_before = quality.low_confidence_frames;
        let is_user = add_frames(&mut quality, profile, stack, sample.value);
        let has_guess = quality.low_confidence_frames > guessed_before;
        let reason = stop_reason(profile, stack);
        if is_user || reason.is_some() {
            quality.user_stacks += sample.value;
        }
        match reason {
            Some(reason) => *quality.truncated.entry(reason).or_default() += sample.value,
            None if is_user && has_guess => quality.guessed += sample.value,
            None if is_user => rooted += sample.value,
            None => {}
        }
    }
    let stacks = quality.user_stacks;
    quality.rooted_share = if stacks == 0 { 1.0 } else { rooted as f64 / stacks as f64 };
    quality
}

/// Counts the frames of a stack, each as often as it was sampled. Returns whether the stack has user code.
fn add_frames(quality: &mut Quality, profile: &Profile, stack: &Stack, value: u64) -> bool {
    let mut is_user = false;
    for location in stack.iter().filter_map(|l| profile.location(*l)) {
        if matches!(location.kind, FrameKind::Truncated | FrameKind::Event) {
            continue;
        }
        is_user |= location.kind != FrameKind::Kernel;
        quality.frames += value;
        quality.unnamed_frames += if location.unnamed { value } else { 0 };
        quality.low_confidence_frames += if location.low_confidence { value } else { 0 };
    }
    is_user
}

/// Why the stack does not reach its thread's entry; `None` if it does.
fn stop_reason(profile: &Profile, stack: &Stack) -> Option<String> {
    let root = stack.iter().rev().find_map(|l| profile.location(*l))?;
    if root.kind != FrameKind::Truncated {
        return None;
    }
    let name = root.lines.first().map_or("", |line| profile.strings.get(line.function));
    let reason = name.strip_prefix(TRUNCATED).and_then(|rest| rest.strip_suffix(']'));
    Some(reason.unwrap_or(name).to_owned())
}

fn lost(events: &Profile) -> BTreeMap<String, u64> {
    let mut lost = BTreeMap::new();
    for sample in &events.samples {
        let stack = events.stack(sample.stack);
        let leaf = stack.and_then(|s| s.first()).and_then(|l| events.location(*l));
        let name = leaf.and_then(|l| l.lines.first()).map(|l| events.strings.get(l.function));
        if let Some(reason) = name.and_then(|name| name.strip_prefix(LOST)) {
            *lost.entry(reason.to_owned()).or_default() += sample.value;
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use infrared_profile::{Builder, Location};

    use super::*;

    #[test]
    fn stacks_count_by_whether_they_reach_their_root() {
        let mut builder = Builder::new(ValueType::cpu_samples(), 0, 1);
        let series = builder.series([].into());
        let mut frame = |kind, unnamed| {
            let lines = vec![builder.line("f", "", "", 0)];
            let location = Location { kind, unnamed, lines, ..Location::default() };
            builder.location(location)
        };
        let kernel = frame(FrameKind::Kernel, false);
        let user = frame(FrameKind::Native, false);
        let unnamed = frame(FrameKind::Native, true);
        let guess = builder.location(Location { low_confidence: true, ..Location::default() });
        let cut = builder.truncated("no table");
        for (locations, value) in [
            (vec![kernel], 10),
            (vec![kernel, user], 4),
            (vec![unnamed, user], 2),
            (vec![user, guess, user], 5),
            (vec![guess, cut], 1),
            (vec![user, cut], 2),
            (vec![cut], 1),
        ] {
            let stack = builder.stack(&locations);
            builder.add(series, stack, value);
        }
        let quality = of_samples(&builder.finish(1));
        assert_eq!(quality.samples_taken, 25);
        assert_eq!(quality.user_stacks, 15);
        assert_eq!(quality.truncated, BTreeMap::from([("no table".to_owned(), 4)]));
        assert_eq!((quality.guessed, quality.low_confidence_frames), (5, 6));
        assert!((quality.rooted_share - 6.0 / 15.0).abs() < 1e-9);
        assert_eq!((quality.frames, quality.unnamed_frames), (10 + 8 + 4 + 2 + 15 + 1, 2));
    }
}
