//! The dictionaries of what is in memory: strings, modules, locations, stacks and series, each with its content hash.

mod locations;
mod rows;
mod series;
mod stacks;

use infrared_profile::{
    Interner, Line, Location, LocationId, Module, ModuleId, Profile, Series, StringId, Strings,
    ValueType,
};

use super::ids::{LocationHash, SeriesHash, SeriesKey, StackHash};
use locations::Locations;
pub(super) use locations::Place;
use series::SeriesTable;
use stacks::Stacks;

#[derive(Debug, Default)]
pub(super) struct Tables {
    strings: Strings,
    modules: Interner<Module>,
    locations: Locations,
    stacks: Stacks,
    series: SeriesTable,
}

impl Tables {
    fn location(&mut self, place: Place, lines: &[Line]) -> u32 {
        let Self { strings, modules, locations, .. } = self;
        locations.intern(place, lines, || {
            let module = place.module.and_then(|m| modules.get(m.0));
            LocationHash::of(&place, lines, module, |s| strings.get(s))
        })
    }

    fn stack(&mut self, stack: &[LocationId]) -> u32 {
        let hash = StackHash::of(stack.iter().filter_map(|location| self.location_hash(*location)));
        self.stacks.intern(hash, stack)
    }

    fn add_series(&mut self, counted: (&ValueType, u64), labels: &Series) -> u32 {
        self.series.intern(&mut self.strings, counted, labels)
    }

    pub(super) fn text(&self, id: StringId) -> &str {
        self.strings.get(id)
    }

    pub(super) fn module(&self, id: ModuleId) -> Option<&Module> {
        self.modules.get(id.0)
    }

    /// A location and its lines.
    pub(super) fn place(&self, id: LocationId) -> Option<(&Place, &[Line])> {
        self.locations.get(id.0)
    }

    pub(super) fn location_hash(&self, id: LocationId) -> Option<LocationHash> {
        self.locations.hash(id.0)
    }

    /// Leaf first.
    pub(super) fn frames(&self, stack: u32) -> &[LocationId] {
        self.stacks.get(stack)
    }

    pub(super) fn stack_hash(&self, stack: u32) -> Option<StackHash> {
        self.stacks.hash(stack)
    }

    pub(super) fn stack_of_hash(&self, hash: StackHash) -> Option<u32> {
        self.stacks.find(hash)
    }

    pub(super) fn series(&self) -> impl Iterator<Item = (SeriesHash, SeriesKey)> {
        self.series.iter(&self.strings)
    }

    pub(super) fn series_hash(&self, series: u32) -> Option<SeriesHash> {
        self.series.hash(series)
    }

    /// Bytes of memory, but for the modules, which are few.
    pub(super) fn bytes(&self) -> usize {
        self.strings.bytes() + self.locations.bytes() + self.stacks.bytes() + self.series.bytes()
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
        let locations = absorb_locations(tables, profile);
        let mut stacks = Vec::with_capacity(profile.stacks.len());
        let mut moved = Vec::new();
        for stack in profile.stacks.iter() {
            moved.clear();
            moved.extend(stack.iter().filter_map(|l| locations.get(l.0 as usize).copied()));
            stacks.push(tables.stack(&moved));
        }
        let counted = (&profile.value_type, profile.period_ns);
        let series = profile.series.iter().map(|labels| tables.add_series(counted, labels));
        Self { stacks, series: series.collect() }
    }

    pub(super) fn stack(&self, id: u32) -> Option<u32> {
        self.stacks.get(id as usize).copied()
    }

    pub(super) fn series(&self, id: u32) -> Option<u32> {
        self.series.get(id as usize).copied()
    }
}

/// By the profile's ids.
fn absorb_locations(tables: &mut Tables, profile: &Profile) -> Vec<LocationId> {
    let strings: Vec<StringId> =
        profile.strings.iter().map(|text| tables.strings.intern(text)).collect();
    let string = |id: StringId| strings.get(id.0 as usize).copied().unwrap_or_default();
    let mut modules = Vec::with_capacity(profile.modules.len());
    for module in profile.modules.iter() {
        let module = Module { path: string(module.path), build_id: string(module.build_id) };
        modules.push(ModuleId(tables.modules.intern(module)));
    }
    let mut locations = Vec::with_capacity(profile.locations.len());
    let mut moved = Vec::new();
    for location in profile.locations.iter() {
        moved.clear();
        moved.extend(location.lines.iter().map(|line| Line {
            function: string(line.function),
            system_name: string(line.system_name),
            file: string(line.file),
            line: line.line,
        }));
        let Location { address, kind, low_confidence, unnamed, .. } = *location;
        let module = location.module.and_then(|m| modules.get(m.0 as usize).copied());
        let place = Place { address, module, kind, low_confidence, unnamed };
        locations.push(LocationId(tables.location(place, &moved)));
    }
    locations
}

#[cfg(test)]
mod tests {
    use infrared_profile::{Builder, labels};

    use super::*;

    /// `stacks` of `depth` frames; every second frame is a function of all of them.
    fn profile(stacks: u64, depth: u64) -> Profile {
        let mut builder = Builder::new(ValueType::cpu_samples(), 0, 1);
        for stack in 0..stacks {
            let labels = [(labels::HOST, "box".to_owned()), (labels::PID, stack.to_string())];
            let series =
                builder.series(labels.map(|(name, value)| (name.to_owned(), value)).into());
            let mut frame = |depth: u64| {
                let address = depth << 32 | if depth.is_multiple_of(2) { 0 } else { stack };
                let module = builder.module("/usr/bin/program", "c0ffee");
                let lines =
                    vec![builder.line(&format!("function_{address:010x}"), "", "file.c", 1)];
                builder.location(Location {
                    module: Some(module),
                    address,
                    lines,
                    ..Location::default()
                })
            };
            let frames: Vec<LocationId> = (0..depth).map(&mut frame).collect();
            let stack = builder.stack(&frames);
            builder.add(series, stack, 1);
        }
        builder.finish(1)
    }

    #[test]
    fn what_is_taken_in_twice_is_there_once_and_takes_little_more_than_its_content() {
        let (profile, mut tables) = (profile(500, 40), Tables::default());
        let first = Remap::absorb(&mut tables, &profile);
        let bytes = tables.bytes();
        let again = Remap::absorb(&mut tables, &profile);
        assert_eq!((&first.stacks, &first.series), (&again.stacks, &again.series));
        assert_eq!(tables.bytes(), bytes);
        let frames: usize = profile.stacks.iter().map(|stack| size_of_val(&**stack)).sum();
        let text: usize = profile.strings.iter().map(str::len).sum();
        let places = profile.locations.len() * (size_of::<Place>() + size_of::<Line>());
        assert!(bytes < (frames + text + places) * 2, "{bytes} for {frames} + {text} + {places}");
    }

    #[test]
    fn what_comes_out_is_what_went_in() {
        let (profile, mut tables) = (profile(3, 4), Tables::default());
        let remap = Remap::absorb(&mut tables, &profile);
        let stack = remap.stack(1).unwrap();
        assert_eq!(tables.stack_of_hash(tables.stack_hash(stack).unwrap()), Some(stack));
        let name = |id: &LocationId| tables.text(tables.place(*id).unwrap().1[0].function);
        let names: Vec<&str> = tables.frames(stack).iter().map(name).collect();
        let expected = ["0000000000", "0100000001", "0200000000", "0300000001"];
        assert_eq!(names, expected.map(|address| format!("function_{address}")));
        let (hash, key) = tables.series().nth(2).unwrap();
        assert_eq!(remap.series(2).and_then(|id| tables.series_hash(id)), Some(hash));
        assert_eq!((&key.labels, key.period_ns), (profile.series.get(2).unwrap(), 1));
        assert_eq!(key.value_type, ValueType::cpu_samples());
    }
}
