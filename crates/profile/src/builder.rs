//! Builds a [`Profile`] sample by sample. Interns everything; sums samples of one series and stack.
//!
//! It sets no bounds: the caller asks [`Builder::cost_bytes`] and closes the window when it has had enough.

use std::collections::HashMap;

use crate::{
    FrameKind, Line, Location, LocationId, Module, ModuleId, Profile, Sample, Series, SeriesId,
    StackId, StringId, ValueType,
};

/// A profile in the making.
#[derive(Debug, Default)]
pub struct Builder {
    profile: Profile,
    by_address: HashMap<(ModuleId, u64), LocationId>,
    by_stack: HashMap<(SeriesId, StackId), usize>,
    /// Per sample: some of its value came without a time, so its times would be a part passed off as the whole.
    untimed: Vec<bool>,
    cost_bytes: usize,
}

impl Builder {
    /// An empty profile that starts at `start_ns` (Unix time). `period_ns` as in [`Profile::period_ns`].
    pub fn new(value_type: ValueType, start_ns: u64, period_ns: u64) -> Self {
        let profile = Profile { value_type, start_ns, period_ns, ..Profile::default() };
        Self { profile, ..Self::default() }
    }

    pub fn string(&mut self, text: &str) -> StringId {
        let before = self.profile.strings.len();
        let id = self.profile.strings.intern(text);
        if self.profile.strings.len() > before {
            self.cost_bytes += text.len() + size_of::<usize>() + INDEX_BYTES;
        }
        id
    }

    /// `build_id` is lower-case hex, empty if the file has none.
    pub fn module(&mut self, path: &str, build_id: &str) -> ModuleId {
        let module = Module { path: self.string(path), build_id: self.string(build_id) };
        ModuleId(self.profile.modules.intern(module))
    }

    /// A line of a location. `system_name` and `file` may be empty, `line` 0.
    pub fn line(&mut self, function: &str, system_name: &str, file: &str, line: u32) -> Line {
        Line {
            function: self.string(function),
            system_name: if system_name == function {
                StringId(0)
            } else {
                self.string(system_name)
            },
            file: self.string(file),
            line,
        }
    }

    pub fn location(&mut self, location: Location) -> LocationId {
        let bytes = size_of::<Location>() + location.lines.len() * size_of::<Line>() + INDEX_BYTES;
        let before = self.profile.locations.len();
        let id = self.profile.locations.intern(location);
        if self.profile.locations.len() > before {
            self.cost_bytes += bytes;
        }
        LocationId(id)
    }

    /// The location at `address` of `module`; `make` is asked for it at first sight only.
    ///
    /// Code without a module has no such place of its own: two processes can have different code at one address. Use
    /// [`Builder::location`] for it.
    pub fn location_at(
        &mut self,
        module: ModuleId,
        address: u64,
        make: impl FnOnce(&mut Self) -> Location,
    ) -> LocationId {
        if let Some(&id) = self.by_address.get(&(module, address)) {
            return id;
        }
        let mut location = make(self);
        location.module = Some(module);
        location.address = address;
        let id = self.location(location);
        self.by_address.insert((module, address), id);
        self.cost_bytes += size_of::<((ModuleId, u64), LocationId)>() + INDEX_BYTES;
        id
    }

    /// The pseudo frame that ends a stack which does not reach its thread's entry.
    pub fn truncated(&mut self, reason: &str) -> LocationId {
        self.pseudo(FrameKind::Truncated, &format!("[truncated: {reason}]"))
    }

    /// The pseudo frame of a counter in a profile of [`ValueType::events`].
    pub fn event(&mut self, name: &str) -> LocationId {
        self.pseudo(FrameKind::Event, name)
    }

    fn pseudo(&mut self, kind: FrameKind, name: &str) -> LocationId {
        let lines = vec![self.line(name, "", "", 0)];
        self.location(Location { kind, lines, ..Location::default() })
    }

    /// `leaf_first` as in [`crate::Stack`].
    pub fn stack(&mut self, leaf_first: &[LocationId]) -> StackId {
        let before = self.profile.stacks.len();
        let id = self.profile.stacks.intern(leaf_first.to_vec());
        if self.profile.stacks.len() > before {
            self.cost_bytes += size_of_val(leaf_first) + size_of::<crate::Stack>() + INDEX_BYTES;
        }
        StackId(id)
    }

    pub fn series(&mut self, series: Series) -> SeriesId {
        let bytes = series.iter().map(|(k, v)| k.len() + v.len() + 2 * size_of::<String>());
        let bytes = bytes.sum::<usize>() + INDEX_BYTES;
        let before = self.profile.series.len();
        let id = self.profile.series.intern(series);
        if self.profile.series.len() > before {
            self.cost_bytes += bytes;
        }
        SeriesId(id)
    }

    /// Adds `value` without a time. A sample that has any such value loses its times.
    pub fn add(&mut self, series: SeriesId, stack: StackId, value: u64) {
        let index = self.sample(series, stack);
        self.untimed[index] |= value > 0;
        let sample = &mut self.profile.samples[index];
        sample.value = sample.value.saturating_add(value);
    }

    /// Adds `value` that was seen at `timestamp_ns` (Unix time).
    pub fn add_at(&mut self, series: SeriesId, stack: StackId, value: u64, timestamp_ns: u64) {
        self.add_times(series, stack, value, &[timestamp_ns]);
    }

    /// Adds `value` that was seen at the given times; as [`Builder::add`] if there are none.
    pub fn add_times(&mut self, series: SeriesId, stack: StackId, value: u64, times_ns: &[u64]) {
        if times_ns.is_empty() {
            return self.add(series, stack, value);
        }
        let index = self.sample(series, stack);
        let sample = &mut self.profile.samples[index];
        sample.value = sample.value.saturating_add(value);
        sample.timestamps_ns.extend_from_slice(times_ns);
        self.cost_bytes += size_of_val(times_ns);
    }

    fn sample(&mut self, series: SeriesId, stack: StackId) -> usize {
        let samples = &mut self.profile.samples;
        *self.by_stack.entry((series, stack)).or_insert_with(|| {
            samples.push(Sample { series, stack, value: 0, timestamps_ns: Vec::new() });
            self.untimed.push(false);
            self.cost_bytes += size_of::<Sample>() + 2 * INDEX_BYTES;
            samples.len() - 1
        })
    }

    /// What is there so far. Times are in order only after [`Builder::finish`].
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// About how many bytes of memory it takes now.
    pub fn cost_bytes(&self) -> usize {
        self.cost_bytes
    }

    /// Closes the window.
    pub fn finish(mut self, duration_ns: u64) -> Profile {
        self.profile.duration_ns = duration_ns;
        for (sample, untimed) in self.profile.samples.iter_mut().zip(self.untimed) {
            if untimed {
                sample.timestamps_ns = Vec::new();
            }
            sample.timestamps_ns.sort_unstable();
        }
        self.profile
    }
}

/// Hash and index that a hash table keeps per entry, at a usual fill.
const INDEX_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn one_sample() -> (Builder, SeriesId, StackId) {
        let mut b = Builder::new(ValueType::cpu_samples(), 10, 1);
        let lines = vec![b.line("f", "f", "", 0)];
        let f = b.location(Location { lines, ..Location::default() });
        let (series, stack) = (b.series(Series::new()), b.stack(&[f]));
        (b, series, stack)
    }

    #[test]
    fn times_are_sorted_and_values_summed() {
        let (mut b, series, stack) = one_sample();
        b.add_at(series, stack, 1, 30);
        b.add_at(series, stack, 1, 20);
        let profile = b.finish(100);
        assert_eq!(profile.samples.len(), 1);
        assert_eq!(
            (profile.samples[0].value, &*profile.samples[0].timestamps_ns),
            (2, &[20, 30][..])
        );
    }

    #[test]
    fn a_sample_with_an_untimed_value_keeps_no_times() {
        let (mut b, series, stack) = one_sample();
        b.add_at(series, stack, 1, 30);
        b.add(series, stack, 4);
        let profile = b.finish(100);
        assert_eq!((profile.samples[0].value, profile.samples[0].timestamps_ns.len()), (5, 0));
    }

    #[test]
    fn location_is_made_once_per_module_and_address() {
        let mut b = Builder::new(ValueType::cpu_samples(), 0, 1);
        let libc = b.module("/lib/libc.so.6", "ab");
        let mut made = 0;
        for _ in 0..2 {
            b.location_at(libc, 0x10, |_| {
                made += 1;
                Location::default()
            });
        }
        assert_eq!(made, 1);
        let location = b.profile().location(LocationId(0)).unwrap();
        assert_eq!((location.module, location.address), (Some(libc), 0x10));
    }

    #[test]
    fn cost_grows_with_new_things_only() {
        let (mut b, series, stack) = one_sample();
        b.add(series, stack, 1);
        let cost = b.cost_bytes();
        assert!(cost > 0);
        let again = b.series(Series::new());
        b.add(again, stack, 1);
        assert_eq!(b.cost_bytes(), cost);
    }
}
