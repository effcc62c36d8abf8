//! A [`Profile`]'s samples as a call tree.

use super::{CallTree, Flags, FrameRef, NodeKind, TreeBuilder};
use crate::{LocationId, Profile, SeriesId, frames};

/// How to make a tree of a profile.
#[derive(Clone, Debug)]
pub struct TreeOptions {
    /// Labels whose values become groups below the root, outermost first, see [`crate::labels`].
    pub group_by: Vec<String>,
    /// As in [`TreeBuilder::new`].
    pub max_nodes: usize,
}

impl Default for TreeOptions {
    fn default() -> Self {
        Self { group_by: Vec::new(), max_nodes: 4_000_000 }
    }
}

/// The name of the group of series that lack the label.
const NO_LABEL: &str = "unknown";

impl CallTree {
    pub fn from_profile(profile: &Profile, options: &TreeOptions) -> Self {
        let mut builder =
            TreeBuilder::new(profile.value_type.clone(), profile.period_ns, options.max_nodes);
        builder.add_profile(profile, &options.group_by);
        builder.finish()
    }
}

impl TreeBuilder {
    /// Adds all samples of `profile`, whose type and period the caller knows to be the builder's.
    pub fn add_profile(&mut self, profile: &Profile, group_by: &[String]) {
        let groups: Vec<_> =
            profile.series.iter().map(|series| self.groups(series, group_by)).collect();
        let mut located = vec![None; profile.locations.len()];
        let mut path: Vec<FrameRef> = Vec::new();
        for sample in &profile.samples {
            path.clear();
            let SeriesId(series) = sample.series;
            path.extend(groups.get(series as usize).into_iter().flatten());
            let stack = profile.stack(sample.stack).map_or(&[][..], Vec::as_slice);
            for &location in stack.iter().rev() {
                let Some(slot) = located.get_mut(location.0 as usize) else { continue };
                path.extend(slot.get_or_insert_with(|| self.located(profile, location)).iter());
            }
            self.add(&path, sample.value);
        }
    }

    fn groups(&mut self, series: &crate::Series, group_by: &[String]) -> Vec<FrameRef> {
        let names = group_by.iter().map(|label| series.get(label).map_or(NO_LABEL, String::as_str));
        names.map(|name| self.group(name)).collect()
    }

    fn located(&mut self, profile: &Profile, id: LocationId) -> Box<[FrameRef]> {
        let Some(location) = profile.location(id) else { return Box::default() };
        let views = frames::frames_of(profile, location).map(|view| {
            let module = view.module.and_then(|id| profile.module(id));
            let module =
                module.map(|m| (profile.strings.get(m.path), profile.strings.get(m.build_id)));
            let flags = [
                (view.inlined, Flags::INLINED),
                (view.unnamed, Flags::UNNAMED),
                (view.low_confidence, Flags::LOW_CONFIDENCE),
            ];
            let set = flags.into_iter().filter(|(set, _)| *set);
            let flags = set.fold(Flags::default(), |sum, (_, flag)| sum.with(flag));
            let frame = self.frame(&view.name, NodeKind::Frame(view.kind), flags, module);
            self.at(frame, profile.strings.get(view.line.file), view.line.line)
        });
        views.collect()
    }
}
