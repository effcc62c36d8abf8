use std::collections::HashMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

use super::{labels, proto};
use crate::tree::nanoseconds_per_unit;
use crate::{Location, ModuleId, Profile, SeriesId, Strings, frames};

/// Writes `profile`. Counts of samples get a second value, `cpu`/`nanoseconds`, if the period is known.
/// `comments` are shown by `go tool pprof -comments`.
pub fn write(profile: &Profile, comments: &[&str], out: &mut impl Write) -> io::Result<()> {
    let message = Writer::new(profile).message(comments);
    let mut gzip = GzEncoder::new(out, Compression::default());
    gzip.write_all(&message.encode_to_vec())?;
    gzip.finish()?;
    Ok(())
}

struct Writer<'p> {
    profile: &'p Profile,
    strings: Strings,
    functions: HashMap<[i64; 3], u64>,
    out: proto::Profile,
}

impl<'p> Writer<'p> {
    fn new(profile: &'p Profile) -> Self {
        let (strings, functions) = (Strings::default(), HashMap::new());
        Self { profile, strings, functions, out: proto::Profile::default() }
    }

    fn message(mut self, comments: &[&str]) -> proto::Profile {
        let profile = self.profile;
        let ns_per_count =
            nanoseconds_per_unit(&profile.value_type, profile.period_ns).filter(|&ns| ns > 1);
        let own = self.value_type(&profile.value_type.kind, &profile.value_type.unit);
        self.out.sample_type.push(own);
        if ns_per_count.is_some() {
            let cpu = self.value_type("cpu", "nanoseconds");
            self.out.sample_type.push(cpu);
            self.out.default_sample_type = cpu.kind;
        }
        if profile.period_ns > 0 {
            self.out.period_type = Some(self.value_type("cpu", "nanoseconds"));
            self.out.period = signed(profile.period_ns);
        }
        self.out.time_nanos = signed(profile.start_ns);
        self.out.duration_nanos = signed(profile.duration_ns);
        self.out.comment = comments.iter().map(|text| self.string(text)).collect();
        self.mappings();
        for (id, location) in (1..).zip(profile.locations.iter()) {
            let location = self.location(id, location);
            self.out.location.push(location);
        }
        self.samples(ns_per_count);
        self.out.string_table = self.strings.iter().map(str::to_owned).collect();
        self.out
    }

    fn string(&mut self, text: &str) -> i64 {
        i64::from(self.strings.intern(text).0)
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> proto::ValueType {
        proto::ValueType { kind: self.string(kind), unit: self.string(unit) }
    }

    /// Mappings have no run-time range any more, as addresses are stated ones: each starts at 0 and ends after its last
    /// address. Functions count as present so that no reader symbolizes again.
    fn mappings(&mut self) {
        let profile = self.profile;
        for (id, module) in (1..).zip(profile.modules.iter()) {
            let mapping = proto::Mapping {
                id,
                filename: self.string(profile.strings.get(module.path)),
                build_id: self.string(profile.strings.get(module.build_id)),
                has_functions: true,
                ..proto::Mapping::default()
            };
            self.out.mapping.push(mapping);
        }
        for location in profile.locations.iter() {
            let Some(ModuleId(module)) = location.module else { continue };
            let Some(mapping) = self.out.mapping.get_mut(module as usize) else { continue };
            mapping.memory_limit = mapping.memory_limit.max(location.address.saturating_add(1));
            mapping.has_inline_frames |= location.lines.len() > 1;
            mapping.has_filenames |= location.lines.iter().any(|line| line.file.0 > 0);
            mapping.has_line_numbers |= location.lines.iter().any(|line| line.line > 0);
        }
    }

    fn location(&mut self, id: u64, location: &'p Location) -> proto::Location {
        let mapping_id = location.module.map_or(0, |module| u64::from(module.0) + 1);
        let outermost_first: Vec<_> = frames::frames_of(self.profile, location).collect();
        let lines = outermost_first.iter().rev().map(|frame| proto::Line {
            function_id: self.function(&frame.name, frame.line),
            line: i64::from(frame.line.line),
        });
        let line = lines.collect();
        proto::Location { id, mapping_id, address: location.address, line }
    }

    fn function(&mut self, name: &str, line: crate::Line) -> u64 {
        let strings = &self.profile.strings;
        let name = self.string(name);
        let system_name = self.string(strings.get(line.system_name));
        let filename = self.string(strings.get(line.file));
        let next = self.functions.len() as u64 + 1;
        *self.functions.entry([name, system_name, filename]).or_insert_with(|| {
            self.out.function.push(proto::Function { id: next, name, system_name, filename });
            next
        })
    }

    fn samples(&mut self, ns_per_count: Option<u64>) {
        let profile = self.profile;
        let labels: Vec<_> =
            (0..profile.series.len() as u32).map(|id| self.labels(SeriesId(id))).collect();
        for sample in &profile.samples {
            let stack = profile.stack(sample.stack).map_or(&[][..], Vec::as_slice);
            let time = ns_per_count.map(|ns| signed(sample.value.saturating_mul(ns)));
            self.out.sample.push(proto::Sample {
                location_id: stack.iter().map(|location| u64::from(location.0) + 1).collect(),
                value: [signed(sample.value)].into_iter().chain(time).collect(),
                label: labels.get(sample.series.0 as usize).cloned().unwrap_or_default(),
            });
        }
    }

    fn labels(&mut self, id: SeriesId) -> Vec<proto::Label> {
        let series = self.profile.series(id).into_iter().flatten();
        let label = |(key, value): (&String, &String)| proto::Label {
            key: self.string(labels::short(key)),
            text: self.string(value),
            ..proto::Label::default()
        };
        series.map(label).collect()
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
