//! The tables of a request, filled as they are referred to: nothing twice, nothing unused, element 0 empty.

use std::hash::Hash;

use indexmap::IndexSet;
use infrared_profile::{
    Location, LocationId, ModuleId, Profile, SeriesId, StackId, StringId, Strings, labels,
};

use crate::proto::common::AnyValue;
use crate::proto::common::any_value::Value;
use crate::proto::profiles as otlp;
use crate::{attributes, frame_type};

/// An attribute by value: text and numbers, the only ones that are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Scalar {
    #[default]
    None,
    Text(String),
    Number(i64),
    True,
}

/// A location by value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct LocationKey {
    mapping: i32,
    address: u64,
    lines: Vec<otlp::Line>,
    attributes: Vec<i32>,
}

/// The dictionary in the making.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    strings: Strings,
    functions: Table<otlp::Function>,
    mappings: Table<otlp::Mapping>,
    locations: Table<LocationKey>,
    attributes: Table<(i32, Scalar)>,
    stacks: Table<otlp::Stack>,
}

/// A table whose element 0 is the empty one.
#[derive(Debug)]
struct Table<T>(IndexSet<T>);

impl<T: Default + Eq + Hash> Default for Table<T> {
    fn default() -> Self {
        Self(IndexSet::from([T::default()]))
    }
}

impl<T: Eq + Hash> Table<T> {
    fn intern(&mut self, value: T) -> i32 {
        self.0.insert_full(value).0 as i32
    }
}

impl Dictionary {
    fn string(&mut self, text: &str) -> i32 {
        self.strings.intern(text).0 as i32
    }

    pub(super) fn value_type(&mut self, kind: &str, unit: &str) -> otlp::ValueType {
        otlp::ValueType { type_strindex: self.string(kind), unit_strindex: self.string(unit) }
    }

    fn attribute(&mut self, key: &str, value: Scalar) -> i32 {
        let key = self.string(key);
        self.attributes.intern((key, value))
    }

    pub(super) fn into_message(self) -> otlp::ProfilesDictionary {
        let attribute = |(key_strindex, value): (i32, Scalar)| otlp::KeyValueAndUnit {
            key_strindex,
            value: any_value(value),
            unit_strindex: 0,
        };
        let location = |key: LocationKey| otlp::Location {
            mapping_index: key.mapping,
            address: key.address,
            lines: key.lines,
            attribute_indices: key.attributes,
        };
        otlp::ProfilesDictionary {
            mapping_table: self.mappings.0.into_iter().collect(),
            location_table: self.locations.0.into_iter().map(location).collect(),
            function_table: self.functions.0.into_iter().collect(),
            link_table: vec![otlp::Link::default()],
            string_table: self.strings.iter().map(str::to_owned).collect(),
            attribute_table: self.attributes.0.into_iter().map(attribute).collect(),
            stack_table: self.stacks.0.into_iter().collect(),
        }
    }
}

fn any_value(value: Scalar) -> Option<AnyValue> {
    let value = match value {
        Scalar::None => return None,
        Scalar::Text(text) => Value::StringValue(text),
        Scalar::Number(number) => Value::IntValue(number),
        Scalar::True => Value::BoolValue(true),
    };
    Some(AnyValue { value: Some(value) })
}

/// Ids of one profile to indices of the dictionary, filled as they are met.
pub(super) struct Remap<'p> {
    pub(super) from: &'p Profile,
    stacks: Vec<Option<i32>>,
    locations: Vec<Option<i32>>,
    mappings: Vec<Option<i32>>,
    sample_attributes: Vec<Option<Vec<i32>>>,
}

impl<'p> Remap<'p> {
    pub(super) fn new(from: &'p Profile) -> Self {
        Self {
            from,
            stacks: vec![None; from.stacks.len()],
            locations: vec![None; from.locations.len()],
            mappings: vec![None; from.modules.len()],
            sample_attributes: vec![None; from.series.len()],
        }
    }

    pub(super) fn stack(&mut self, id: StackId, to: &mut Dictionary) -> i32 {
        if let Some(Some(known)) = self.stacks.get(id.0 as usize) {
            return *known;
        }
        let Some(stack) = self.from.stack(id) else { return 0 };
        let location_indices = stack.iter().map(|&id| self.location(id, to)).collect();
        let index = to.stacks.intern(otlp::Stack { location_indices });
        self.stacks[id.0 as usize] = Some(index);
        index
    }

    fn location(&mut self, id: LocationId, to: &mut Dictionary) -> i32 {
        if let Some(Some(known)) = self.locations.get(id.0 as usize) {
            return *known;
        }
        let Some(location) = self.from.location(id) else { return 0 };
        let key = LocationKey {
            mapping: location.module.map_or(0, |module| self.mapping(module, to)),
            address: location.address,
            lines: location.lines.iter().map(|line| self.line(*line, to)).collect(),
            attributes: location_attributes(location, to),
        };
        let index = to.locations.intern(key);
        self.locations[id.0 as usize] = Some(index);
        index
    }

    fn line(&self, line: infrared_profile::Line, to: &mut Dictionary) -> otlp::Line {
        let mut text = |id: StringId| to.string(self.from.strings.get(id));
        let function = otlp::Function {
            name_strindex: text(line.function),
            system_name_strindex: text(line.system_name),
            filename_strindex: text(line.file),
            start_line: 0,
        };
        let function_index = to.functions.intern(function);
        otlp::Line { function_index, line: line.line.into(), column: 0 }
    }

    /// Without a range in memory: addresses are stated ones, the same in every process.
    fn mapping(&mut self, id: ModuleId, to: &mut Dictionary) -> i32 {
        if let Some(Some(known)) = self.mappings.get(id.0 as usize) {
            return *known;
        }
        let Some(module) = self.from.module(id) else { return 0 };
        let build_id = match self.from.strings.get(module.build_id) {
            "" => None,
            hex => Some(to.attribute(labels::BUILD_ID, Scalar::Text(hex.to_owned()))),
        };
        let mapping = otlp::Mapping {
            filename_strindex: to.string(self.from.strings.get(module.path)),
            attribute_indices: build_id.into_iter().collect(),
            ..otlp::Mapping::default()
        };
        let index = to.mappings.intern(mapping);
        self.mappings[id.0 as usize] = Some(index);
        index
    }

    pub(super) fn sample_attributes(&mut self, id: SeriesId, to: &mut Dictionary) -> Vec<i32> {
        if let Some(Some(known)) = self.sample_attributes.get(id.0 as usize) {
            return known.clone();
        }
        let Some(series) = self.from.series(id) else { return Vec::new() };
        let of_sample = series.iter().filter(|(key, _)| attributes::is_of_sample(key));
        let indices: Vec<i32> =
            of_sample.map(|(key, text)| to.attribute(key, scalar(key, text))).collect();
        self.sample_attributes[id.0 as usize] = Some(indices.clone());
        indices
    }
}

fn scalar(key: &str, text: &str) -> Scalar {
    match attributes::value_of(key, text) {
        Value::IntValue(number) => Scalar::Number(number),
        _ => Scalar::Text(text.to_owned()),
    }
}

fn location_attributes(location: &Location, to: &mut Dictionary) -> Vec<i32> {
    let (conventional, own) = frame_type::written(location.kind);
    let text = |value: &str| Scalar::Text(value.to_owned());
    let set = [
        conventional.map(|value| (frame_type::FRAME_TYPE, text(value))),
        own.map(|value| (frame_type::OWN_KIND, text(value))),
        location.low_confidence.then_some((frame_type::LOW_CONFIDENCE, Scalar::True)),
        location.unnamed.then_some((frame_type::UNNAMED, Scalar::True)),
    ];
    set.into_iter().flatten().map(|(key, value)| to.attribute(key, value)).collect()
}
