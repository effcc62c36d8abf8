//! The dictionaries of what is in memory: strings, modules, locations, stacks and series, each with its content hash.

use std::collections::HashMap;

use infrared_profile::{
    Interner, Line, Location, LocationId, Module, ModuleId, Profile, Stack, StringId, Strings,
};

use super::ids::{LocationHash, SeriesHash, SeriesKey, StackHash};

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) strings: Strings,
    pub(super) modules: Interner<Module>,
    pub(super) locations: Interner<Location>,
    pub(super) stacks: Interner<Stack>,
    pub(super) series: Interner<SeriesKey>,
    pub(super) location_hashes: Vec<LocationHash>,
    pub(super) stack_hashes: Vec<StackHash>,
    pub(super) series_hashes: Vec<SeriesHash>,
    stack_by_hash: HashMap<StackHash, u32>,
    /// Rough heap use.
    pub(super) bytes: usize,
}

impl Tables {
    pub(super) fn string(&mut self, value: &str) -> StringId {
        let before = self.strings.len();
        let id = self.strings.intern(value);
        if self.strings.len() > before {
            self.bytes += value.len() + 32;
        }
        id
    }

    pub(super) fn location(&mut self, location: Location) -> u32 {
        let bytes = 2 * (size_of::<Location>() + location.lines.len() * size_of::<Line>());
        let id = self.locations.intern(location);
        if id as usize == self.location_hashes.len()
            && let Some(location) = self.locations.get(id)
        {
            let module = location.module.and_then(|m| self.modules.get(m.0));
            let hash = LocationHash::of(location, module, |s| self.strings.get(s));
            self.location_hashes.push(hash);
            self.bytes += bytes;
        }
        id
    }

    pub(super) fn stack(&mut self, stack: Stack) -> u32 {
        let bytes = 64 + stack.len() * size_of::<LocationId>();
        let id = self.stacks.intern(stack);
        if id as usize == self.stack_hashes.len()
            && let Some(stack) = self.stacks.get(id)
        {
            let hash = self.hash_stack(stack);
            self.stack_hashes.push(hash);
            self.stack_by_hash.insert(hash, id);
            self.bytes += bytes;
        }
        id
    }

    fn hash_stack(&self, stack: &Stack) -> StackHash {
        StackHash::of(stack.iter().filter_map(|l| self.location_hashes.get(l.0 as usize).copied()))
    }

    pub(super) fn series(&mut self, key: SeriesKey) -> u32 {
        let id = self.series.intern(key);
        if id as usize == self.series_hashes.len()
            && let Some(key) = self.series.get(id)
        {
            self.series_hashes.push(SeriesHash::of(key));
            let labels: usize = key.labels.iter().map(|(n, v)| n.len() + v.len() + 96).sum();
            self.bytes += 128 + labels;
        }
        id
    }

    pub(super) fn stack_of_hash(&self, hash: StackHash) -> Option<u32> {
        self.stack_by_hash.get(&hash).copied()
    }
}

/// Ids of one profile → ids of the tables it was taken into. `None` where the profile does not define the id.
pub(super) struct Remap {
    stacks: Vec<u32>,
    series: Vec<u32>,
}

impl Remap {
    /// Takes the dictionaries of `profile` into `tables`.
    pub(super) fn absorb(tables: &mut Tables, profile: &Profile) -> Self {
        let strings: Vec<StringId> = profile.strings.iter().map(|s| tables.string(s)).collect();
        let string = |id: StringId| strings.get(id.0 as usize).copied().unwrap_or_default();
        let mut modules = Vec::with_capacity(profile.modules.len());
        for module in profile.modules.iter() {
            let module = Module { path: string(module.path), build_id: string(module.build_id) };
            modules.push(ModuleId(tables.modules.intern(module)));
        }
        let mut locations = Vec::with_capacity(profile.locations.len());
        for location in profile.locations.iter() {
            let lines = location.lines.iter().map(|line| Line {
                function: string(line.function),
                system_name: string(line.system_name),
                file: string(line.file),
                line: line.line,
            });
            let moved = Location {
                module: location.module.and_then(|m| modules.get(m.0 as usize).copied()),
                lines: lines.collect(),
                ..*location
            };
            locations.push(LocationId(tables.location(moved)));
        }
        let mut stacks = Vec::with_capacity(profile.stacks.len());
        for stack in profile.stacks.iter() {
            let moved = stack.iter().filter_map(|l| locations.get(l.0 as usize).copied()).collect();
            stacks.push(tables.stack(moved));
        }
        let mut series = Vec::with_capacity(profile.series.len());
        for labels in profile.series.iter() {
            series.push(tables.series(SeriesKey {
                value_type: profile.value_type.clone(),
                period_ns: profile.period_ns,
                labels: labels.clone(),
            }));
        }
        Self { stacks, series }
    }

    pub(super) fn stack(&self, id: u32) -> Option<u32> {
        self.stacks.get(id as usize).copied()
    }

    pub(super) fn series(&self, id: u32) -> Option<u32> {
        self.series.get(id as usize).copied()
    }
}
