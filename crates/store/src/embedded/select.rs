//! Merges a selection into one profile: sums values by (kept labels, stack), then reads only the dictionary entries
//! that the sums refer to.

use std::collections::{BTreeMap, HashMap, HashSet};

use infrared_profile::{
    FrameKind, Line, Location, LocationId, Module, ModuleId, Profile, Sample, Series, SeriesId,
    Stack, StackId, StringId, ValueType,
};

use super::Shared;
use super::head::{Fact, Head};
use super::ids::{LocationHash, SeriesKey, StackHash, kind_of_code};
use super::scan::{Scanned, Visitor, scan};
use super::segment::{LocationRow, RowText, Segment};
use super::tables::{Place, Tables};
use crate::{Budget, Keep, Query, Selected, StoreError};

/// Shown in place of a stack whose dictionary entry is in a damaged file.
const LOST_STACK: &str = "[truncated: stack not in store]";

pub(super) fn select(shared: &Shared, query: &Query) -> Result<Selected, StoreError> {
    let mut merge = Merge::new(&query.keep, query.selection.value_type.clone());
    let scanned = scan(shared, &query.selection, &query.budget, &mut merge)?;
    let coverage = scanned.windows.coverage();
    merge.resolve_from_segments(&scanned, query)?;
    let mut profile = merge.finish();
    profile.start_ns = coverage.from_ms.max(0) as u64 * 1_000_000;
    profile.duration_ns = coverage.to_ms.abs_diff(coverage.from_ms) * 1_000_000;
    Ok(Selected { profile, coverage })
}

/// Kept labels and the period: what values may be summed over.
#[derive(PartialEq, Eq, Hash)]
struct Kept {
    series: SeriesId,
    period_ns: u64,
}

struct Merge<'q> {
    keep: &'q Keep,
    kept: Vec<Kept>,
    /// Per index of the scan: index into `kept`.
    kept_of_series: Vec<Option<u32>>,
    sums: HashMap<(u32, StackHash), u64>,
    out: Output,
}

impl Visitor for Merge<'_> {
    fn fact(&mut self, index: u32, series: &SeriesKey, fact: &Fact) {
        let kept = self.kept(index, series);
        let sum = self.sums.entry((kept, fact.stack)).or_default();
        *sum = sum.saturating_add(fact.value);
    }

    fn head_done(&mut self, head: &Head) {
        for &(_, stack) in self.sums.keys() {
            if self.out.stacks.contains_key(&stack) {
                continue;
            }
            if let Some(id) = head.tables.stack_of_hash(stack) {
                self.out.copy_stack(&head.tables, stack, id);
            }
        }
    }

    fn rows(&self) -> usize {
        self.sums.len()
    }
}

impl<'q> Merge<'q> {
    fn new(keep: &'q Keep, value_type: ValueType) -> Self {
        let profile = Profile { value_type, ..Profile::default() };
        let out = Output { profile, ..Output::default() };
        Self { keep, kept: Vec::new(), kept_of_series: Vec::new(), sums: HashMap::new(), out }
    }

    fn kept(&mut self, index: u32, series: &SeriesKey) -> u32 {
        let slot = index as usize;
        if self.kept_of_series.len() <= slot {
            self.kept_of_series.resize(slot + 1, None);
        }
        if let Some(kept) = self.kept_of_series[slot] {
            return kept;
        }
        let labels: Series = self.keep.project(&series.labels);
        let id = SeriesId(self.out.profile.series.intern(labels));
        let kept = Kept { series: id, period_ns: series.period_ns };
        let known = self.kept.iter().position(|k| *k == kept);
        let position = known.unwrap_or_else(|| {
            self.kept.push(kept);
            self.kept.len() - 1
        });
        self.kept_of_series[slot] = Some(position as u32);
        position as u32
    }

    /// Reads the dictionaries of the hours that were scanned, newest first, until nothing is missing.
    fn resolve_from_segments(
        &mut self,
        scanned: &Scanned,
        query: &Query,
    ) -> Result<(), StoreError> {
        let range = query.selection.range;
        let hours: HashSet<_> =
            scanned.segments.iter().filter(|s| s.overlaps(range)).map(|s| s.partition).collect();
        let segments: Vec<&Segment> = scanned
            .segments
            .iter()
            .rev()
            .filter(|s| hours.contains(&s.partition))
            .map(AsRef::as_ref)
            .collect();
        let wanted = self.sums.keys().map(|&(_, stack)| stack);
        let missing = wanted.filter(|s| !self.out.stacks.contains_key(s)).collect();
        let pending = read_stacks(&segments, missing, &query.budget)?;
        let wanted = pending.values().flatten().copied();
        let missing = wanted.filter(|l| !self.out.locations.contains_key(l)).collect();
        self.out.read_locations(&segments, missing, &query.budget)?;
        for (hash, locations) in pending {
            self.out.add_stack(hash, &locations);
        }
        Ok(())
    }

    fn finish(mut self) -> Profile {
        let periods = self.kept.iter().map(|k| k.period_ns).filter(|p| *p > 0);
        let period_ns = periods.min().unwrap_or(0);
        let mut rows: Vec<(u64, SeriesId, StackId, u64)> = Vec::with_capacity(self.sums.len());
        for ((kept, hash), value) in std::mem::take(&mut self.sums) {
            let kept = &self.kept[kept as usize];
            let stack = self.out.stack_or_lost(hash);
            rows.push((kept.period_ns, kept.series, stack, value));
        }
        rows.sort_unstable();
        let mut samples: BTreeMap<(SeriesId, StackId), u64> = BTreeMap::new();
        let mut scale = Scale::new(period_ns);
        for (from_ns, series, stack, value) in rows {
            let value = scale.apply(from_ns, value);
            if value > 0 {
                let sum = samples.entry((series, stack)).or_default();
                *sum = sum.saturating_add(value);
            }
        }
        let mut profile = self.out.profile;
        profile.period_ns = period_ns;
        profile.samples = samples
            .into_iter()
            .map(|((series, stack), value)| Sample { series, stack, value, timestamps_ns: vec![] })
            .collect();
        profile
    }
}

/// Converts counts of one period into counts of another, and carries the rounding error from row to row so that the
/// sum over all rows of a period is right to within one.
struct Scale {
    to_ns: u64,
    from_ns: u64,
    carry: u128,
}

impl Scale {
    fn new(to_ns: u64) -> Self {
        Self { to_ns, from_ns: 0, carry: 0 }
    }

    /// Rows must come grouped by `from_ns`.
    fn apply(&mut self, from_ns: u64, value: u64) -> u64 {
        if from_ns == self.to_ns || from_ns == 0 {
            return value;
        }
        if self.from_ns != from_ns {
            self.from_ns = from_ns;
            self.carry = u128::from(self.to_ns / 2);
        }
        // value' = ⌊(value × from + carry) ÷ to⌋, carry' = the remainder
        let scaled = u128::from(value) * u128::from(from_ns) + self.carry;
        self.carry = scaled % u128::from(self.to_ns);
        u64::try_from(scaled / u128::from(self.to_ns)).unwrap_or(u64::MAX)
    }
}

fn read_stacks(
    segments: &[&Segment],
    mut missing: HashSet<StackHash>,
    budget: &Budget,
) -> Result<HashMap<StackHash, Vec<LocationHash>>, StoreError> {
    let mut found = HashMap::with_capacity(missing.len());
    for segment in segments {
        if missing.is_empty() {
            break;
        }
        budget.check(0)?;
        segment.stacks(&|hash| missing.contains(&hash), &mut |hash, locations| {
            found.insert(hash, locations);
            Ok(())
        })?;
        missing.retain(|hash| !found.contains_key(hash));
    }
    Ok(found)
}

/// The profile under construction, with what of each dictionary is already in it.
#[derive(Default)]
struct Output {
    profile: Profile,
    stacks: HashMap<StackHash, StackId>,
    locations: HashMap<LocationHash, LocationId>,
}

impl Output {
    fn stack_or_lost(&mut self, hash: StackHash) -> StackId {
        if let Some(id) = self.stacks.get(&hash) {
            return *id;
        }
        let id = self.lost_location();
        StackId(self.profile.stacks.intern(vec![id]))
    }

    fn lost_location(&mut self) -> LocationId {
        let function = self.profile.strings.intern(LOST_STACK);
        let lines = vec![Line { function, ..Line::default() }];
        let location = Location { kind: FrameKind::Truncated, lines, ..Location::default() };
        LocationId(self.profile.locations.intern(location))
    }

    fn add_stack(&mut self, hash: StackHash, locations: &[LocationHash]) {
        let mut stack: Stack = Vec::with_capacity(locations.len());
        for location in locations {
            let known = self.locations.get(location).copied();
            stack.push(known.unwrap_or_else(|| self.lost_location()));
        }
        self.stacks.insert(hash, StackId(self.profile.stacks.intern(stack)));
    }

    fn copy_stack(&mut self, tables: &Tables, hash: StackHash, id: u32) {
        let stack = tables.frames(id);
        let mut copied = Vec::with_capacity(stack.len());
        for location in stack {
            copied.extend(self.copy_location(tables, *location));
        }
        self.stacks.insert(hash, StackId(self.profile.stacks.intern(copied)));
    }

    fn copy_location(&mut self, tables: &Tables, id: LocationId) -> Option<LocationId> {
        let hash = tables.location_hash(id)?;
        if let Some(known) = self.locations.get(&hash) {
            return Some(*known);
        }
        let (place, lines) = tables.place(id)?;
        let strings = &mut self.profile.strings;
        let mut string = |id: StringId| strings.intern(tables.text(id));
        let lines = lines.iter().map(|l| Line {
            function: string(l.function),
            system_name: string(l.system_name),
            file: string(l.file),
            line: l.line,
        });
        let lines = lines.collect();
        let module = place.module.and_then(|m| tables.module(m));
        let module = module
            .map(|m| Module { path: string(m.path), build_id: string(m.build_id) })
            .map(|m| ModuleId(self.profile.modules.intern(m)));
        let Place { address, kind, low_confidence, unnamed, .. } = *place;
        let location = Location { kind, module, address, lines, low_confidence, unnamed };
        let copied = LocationId(self.profile.locations.intern(location));
        self.locations.insert(hash, copied);
        Some(copied)
    }

    fn read_locations(
        &mut self,
        segments: &[&Segment],
        mut missing: HashSet<LocationHash>,
        budget: &Budget,
    ) -> Result<(), StoreError> {
        for segment in segments {
            if missing.is_empty() {
                break;
            }
            budget.check(0)?;
            segment.locations(&|hash| missing.contains(&hash), &mut |row| {
                self.add_location(&row);
                Ok(())
            })?;
            missing.retain(|hash| !self.locations.contains_key(hash));
        }
        Ok(())
    }

    fn add_location(&mut self, row: &LocationRow) {
        let strings = &mut self.profile.strings;
        let mut string = |text: &RowText| strings.intern(&String::from_utf8_lossy(text.data()));
        let lines = row.lines.iter().map(|l| Line {
            function: string(&l.function),
            system_name: string(&l.system_name),
            file: string(&l.file),
            line: l.line,
        });
        let lines = lines.collect();
        let module = row
            .has_module()
            .then(|| Module { path: string(&row.module), build_id: string(&row.build_id) })
            .map(|m| ModuleId(self.profile.modules.intern(m)));
        let id = self.profile.locations.intern(Location {
            kind: kind_of_code(row.kind),
            module,
            address: row.address,
            lines,
            low_confidence: row.low_confidence(),
            unnamed: row.unnamed(),
        });
        self.locations.insert(row.id, LocationId(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_to_another_period_keeps_the_total() {
        let mut scale = Scale::new(10_000_000);
        let scaled: u64 = (0..1000).map(|_| scale.apply(10_101_010, 1)).sum();
        assert_eq!(scaled, 1010);
        assert_eq!(scale.apply(10_000_000, 7), 7);
    }
}
