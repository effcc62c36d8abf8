//! Several profiles of one value type become one; filters by series and by sample. Ids are remapped.
//!
//! It does not convert: profiles with different types or periods stay apart.

use crate::{Builder, LocationId, ModuleId, Profile, Sample, Series, SeriesId, StackId, ValueType};

/// Why two profiles cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    #[error("cannot merge values of {theirs_kind}/{theirs_unit} into {ours_kind}/{ours_unit}")]
    ValueType { ours_kind: String, ours_unit: String, theirs_kind: String, theirs_unit: String },
    #[error("cannot merge samples of {theirs_ns} ns each into samples of {ours_ns} ns each")]
    Period { ours_ns: u64, theirs_ns: u64 },
}

/// Collects profiles into one. Only what a kept sample refers to is copied.
#[derive(Debug)]
pub struct Merger {
    builder: Builder,
    value_type: ValueType,
    period_ns: u64,
    window: Option<(u64, u64)>,
}

impl Merger {
    pub fn new(value_type: ValueType, period_ns: u64) -> Self {
        let builder = Builder::new(value_type.clone(), 0, period_ns);
        Self { builder, value_type, period_ns, window: None }
    }

    /// Adds the samples of `profile` for which `keep` holds; the window grows to span its window.
    pub fn add(
        &mut self,
        profile: &Profile,
        keep: impl FnMut(&Profile, &Sample) -> bool,
    ) -> Result<(), MergeError> {
        self.check(profile)?;
        self.absorb(profile, keep);
        Ok(())
    }

    fn absorb(&mut self, profile: &Profile, mut keep: impl FnMut(&Profile, &Sample) -> bool) {
        let end = profile.start_ns.saturating_add(profile.duration_ns);
        self.window = Some(match self.window {
            Some((start, last)) => (start.min(profile.start_ns), last.max(end)),
            None => (profile.start_ns, end),
        });
        let mut ids = Remap::new(profile);
        for sample in &profile.samples {
            if !keep(profile, sample) {
                continue;
            }
            let series = ids.series(sample.series, &mut self.builder);
            let stack = ids.stack(sample.stack, &mut self.builder);
            self.builder.add_times(series, stack, sample.value, &sample.timestamps_ns);
        }
    }

    fn check(&self, theirs: &Profile) -> Result<(), MergeError> {
        if self.value_type != theirs.value_type {
            return Err(MergeError::ValueType {
                ours_kind: self.value_type.kind.clone(),
                ours_unit: self.value_type.unit.clone(),
                theirs_kind: theirs.value_type.kind.clone(),
                theirs_unit: theirs.value_type.unit.clone(),
            });
        }
        if self.period_ns != theirs.period_ns {
            return Err(MergeError::Period {
                ours_ns: self.period_ns,
                theirs_ns: theirs.period_ns,
            });
        }
        Ok(())
    }

    /// About how many bytes of memory it takes now.
    pub fn cost_bytes(&self) -> usize {
        self.builder.cost_bytes()
    }

    pub fn finish(self) -> Profile {
        let (start, end) = self.window.unwrap_or_default();
        let mut profile = self.builder.finish(end - start);
        profile.start_ns = start;
        profile
    }
}

/// One profile of all; the first one says the type and the period. An empty default profile for none.
pub fn merge<'p>(profiles: impl IntoIterator<Item = &'p Profile>) -> Result<Profile, MergeError> {
    let mut profiles = profiles.into_iter().peekable();
    let Some(first) = profiles.peek() else { return Ok(Profile::default()) };
    let mut merger = Merger::new(first.value_type.clone(), first.period_ns);
    for profile in profiles {
        merger.add(profile, |_, _| true)?;
    }
    Ok(merger.finish())
}

/// The part of `profile` for whose samples `keep` holds, in the same window.
pub fn filter(profile: &Profile, keep: impl FnMut(&Profile, &Sample) -> bool) -> Profile {
    let mut merger = Merger::new(profile.value_type.clone(), profile.period_ns);
    merger.absorb(profile, keep);
    merger.finish()
}

/// The part of `profile` whose series satisfy `keep`.
pub fn filter_series(profile: &Profile, keep: impl Fn(&Series) -> bool) -> Profile {
    let kept: Vec<bool> = profile.series.iter().map(keep).collect();
    filter(profile, |_, sample| kept.get(sample.series.0 as usize).copied().unwrap_or(false))
}

/// The part of `profile` whose series have every label of `labels` with that value.
pub fn filter_labels(profile: &Profile, labels: &Series) -> Profile {
    filter_series(profile, |series| labels.iter().all(|(k, v)| series.get(k) == Some(v)))
}

/// Ids of one source profile to ids of the builder, filled as they are met.
struct Remap<'p> {
    from: &'p Profile,
    series: Vec<Option<SeriesId>>,
    stacks: Vec<Option<StackId>>,
    locations: Vec<Option<LocationId>>,
    modules: Vec<Option<ModuleId>>,
}

impl<'p> Remap<'p> {
    fn new(from: &'p Profile) -> Self {
        Self {
            from,
            series: vec![None; from.series.len()],
            stacks: vec![None; from.stacks.len()],
            locations: vec![None; from.locations.len()],
            modules: vec![None; from.modules.len()],
        }
    }

    fn series(&mut self, id: SeriesId, to: &mut Builder) -> SeriesId {
        let from = self.from;
        cached(&mut self.series, id.0, || to.series(from.series(id).cloned().unwrap_or_default()))
    }

    fn stack(&mut self, id: StackId, to: &mut Builder) -> StackId {
        if let Some(Some(known)) = self.stacks.get(id.0 as usize) {
            return *known;
        }
        let from = self.from;
        let old = from.stack(id).map_or(&[][..], Vec::as_slice);
        let new: Vec<_> = old.iter().map(|&location| self.location(location, to)).collect();
        cached(&mut self.stacks, id.0, || to.stack(&new))
    }

    fn location(&mut self, id: LocationId, to: &mut Builder) -> LocationId {
        if let Some(Some(known)) = self.locations.get(id.0 as usize) {
            return *known;
        }
        let from = self.from;
        let mut new = from.location(id).cloned().unwrap_or_default();
        new.module = new.module.map(|module| self.module(module, to));
        for line in &mut new.lines {
            for text in [&mut line.function, &mut line.system_name, &mut line.file] {
                *text = to.string(from.strings.get(*text));
            }
        }
        cached(&mut self.locations, id.0, || to.location(new))
    }

    fn module(&mut self, id: ModuleId, to: &mut Builder) -> ModuleId {
        let from = self.from;
        cached(&mut self.modules, id.0, || {
            let module = from.module(id).cloned().unwrap_or_default();
            to.module(from.strings.get(module.path), from.strings.get(module.build_id))
        })
    }
}

fn cached<I: Copy>(table: &mut [Option<I>], id: u32, make: impl FnOnce() -> I) -> I {
    match table.get_mut(id as usize) {
        Some(slot) => *slot.get_or_insert_with(make),
        None => make(),
    }
}
