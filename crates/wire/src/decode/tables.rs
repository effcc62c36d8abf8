//! The dictionary of a request, and what of it a profile has taken over.

use std::collections::HashMap;

use infrared_profile::{
    Builder, FrameKind, Line, Location, LocationId, ModuleId, StackId, frames, labels,
};

use crate::proto::common::any_value::Value;
use crate::proto::profiles as otlp;
use crate::{Limits, WireError, frame_type};

/// The dictionary, looked up with checks.
pub(super) struct Tables<'r> {
    dictionary: &'r otlp::ProfilesDictionary,
    pub(super) limits: &'r Limits,
}

/// A profile in the making, with the indices it has taken over.
pub(super) struct Target {
    pub(super) builder: Builder,
    pub(super) total: u64,
    // no vectors as long as the tables: a request can have many profiles
    stacks: HashMap<i32, StackId>,
    locations: HashMap<i32, LocationId>,
    modules: HashMap<i32, ModuleId>,
}

impl Target {
    pub(super) fn new(builder: Builder) -> Self {
        let (stacks, locations, modules) = Default::default();
        Self { builder, total: 0, stacks, locations, modules }
    }
}

impl<'r> Tables<'r> {
    pub(super) fn new(
        dictionary: &'r otlp::ProfilesDictionary,
        limits: &'r Limits,
    ) -> Result<Self, WireError> {
        let longest = dictionary.string_table.iter().map(String::len).max();
        if longest > Some(limits.string_bytes) {
            return Err(WireError::Limit {
                what: "length of a string",
                limit: limits.string_bytes,
            });
        }
        Ok(Self { dictionary, limits })
    }

    /// An unset index is the empty string even where the table is empty.
    pub(super) fn string(&self, index: i32) -> Result<&'r str, WireError> {
        let table = &self.dictionary.string_table;
        if index == 0 && table.is_empty() {
            return Ok("");
        }
        look_up(table, index, "string").map(String::as_str)
    }

    pub(super) fn attribute(&self, index: i32) -> Result<&'r otlp::KeyValueAndUnit, WireError> {
        look_up(&self.dictionary.attribute_table, index, "attribute")
    }

    pub(super) fn stack(&self, index: i32, target: &mut Target) -> Result<StackId, WireError> {
        if index == 0 && self.dictionary.stack_table.is_empty() {
            return Ok(target.builder.stack(&[]));
        }
        let stack = look_up(&self.dictionary.stack_table, index, "stack")?;
        if let Some(&known) = target.stacks.get(&index) {
            return Ok(known);
        }
        if stack.location_indices.len() > self.limits.stack_depth {
            let limit = self.limits.stack_depth;
            return Err(WireError::Limit { what: "depth of a stack", limit });
        }
        let locations = stack.location_indices.iter().map(|&index| self.location(index, target));
        let locations: Vec<LocationId> = locations.collect::<Result<_, _>>()?;
        let id = target.builder.stack(&locations);
        target.stacks.insert(index, id);
        Ok(id)
    }

    fn location(&self, index: i32, target: &mut Target) -> Result<LocationId, WireError> {
        let message = look_up(&self.dictionary.location_table, index, "location")?;
        if let Some(&known) = target.locations.get(&index) {
            return Ok(known);
        }
        if message.lines.len() > self.limits.lines {
            return Err(WireError::Limit { what: "inlined functions", limit: self.limits.lines });
        }
        let (module, path) = self.module(message.mapping_index, target)?;
        let mut location = Location { module, address: message.address, ..Location::default() };
        for &index in &message.attribute_indices {
            self.apply(index, &mut location)?;
        }
        if path == "[vdso]" && location.kind == FrameKind::Native {
            location.kind = FrameKind::Vdso;
        }
        for line in &message.lines {
            location.lines.push(self.line(*line, &mut target.builder)?);
        }
        if location.lines.is_empty() {
            name(&mut location, path, &mut target.builder);
        }
        let id = target.builder.location(location);
        target.locations.insert(index, id);
        Ok(id)
    }

    /// What an attribute says about a location; other attributes say nothing here.
    fn apply(&self, index: i32, location: &mut Location) -> Result<(), WireError> {
        let attribute = self.attribute(index)?;
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        let text = match value {
            Some(Value::StringValue(text)) => text,
            Some(Value::StringValueStrindex(index)) => self.string(*index)?,
            _ => "",
        };
        let set = value == Some(&Value::BoolValue(true));
        match self.string(attribute.key_strindex)? {
            frame_type::FRAME_TYPE if !has_own_kind(location.kind) => {
                location.kind = frame_type::conventional(text);
            }
            frame_type::OWN_KIND => {
                location.kind = frame_type::own(text).unwrap_or(location.kind);
            }
            frame_type::LOW_CONFIDENCE => location.low_confidence = set,
            frame_type::UNNAMED => location.unnamed = set,
            _ => {}
        }
        Ok(())
    }

    fn line(&self, line: otlp::Line, builder: &mut Builder) -> Result<Line, WireError> {
        let function = match line.function_index {
            0 if self.dictionary.function_table.is_empty() => &otlp::Function::default(),
            index => look_up(&self.dictionary.function_table, index, "function")?,
        };
        let name = self.string(function.name_strindex)?;
        let system_name = self.string(function.system_name_strindex)?;
        let file = self.string(function.filename_strindex)?;
        // 0 is "unknown", and so is what no source file has
        let number = u32::try_from(line.line).unwrap_or(0);
        Ok(builder.line(
            if name.is_empty() { system_name } else { name },
            system_name,
            file,
            number,
        ))
    }

    /// The module and its path; none for mapping 0 where that is the empty one.
    fn module(
        &self,
        index: i32,
        target: &mut Target,
    ) -> Result<(Option<ModuleId>, &'r str), WireError> {
        if index == 0 && self.dictionary.mapping_table.is_empty() {
            return Ok((None, ""));
        }
        let mapping = look_up(&self.dictionary.mapping_table, index, "mapping")?;
        if index == 0 && *mapping == otlp::Mapping::default() {
            return Ok((None, ""));
        }
        let path = self.string(mapping.filename_strindex)?;
        if let Some(&known) = target.modules.get(&index) {
            return Ok((Some(known), path));
        }
        let mut build_id = "";
        for &index in &mapping.attribute_indices {
            let attribute = self.attribute(index)?;
            let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
            if self.string(attribute.key_strindex)? == labels::BUILD_ID {
                build_id = match value {
                    Some(Value::StringValue(text)) => text,
                    Some(Value::StringValueStrindex(index)) => self.string(*index)?,
                    _ => build_id,
                };
            }
        }
        let id = target.builder.module(path, build_id);
        target.modules.insert(index, id);
        Ok((Some(id), path))
    }
}

/// Kinds that come from [`frame_type::OWN_KIND`] only, which wins whatever the order of the attributes.
fn has_own_kind(kind: FrameKind) -> bool {
    frame_type::written(kind).1.is_some()
}

/// Names a location that came without any name.
fn name(location: &mut Location, path: &str, builder: &mut Builder) {
    let name = match (location.kind, frames::file_name(path)) {
        (FrameKind::Truncated, _) => "[truncated: unknown]".to_owned(),
        (_, "") => format!("0x{:x}", location.address),
        (_, module) => format!("{module}+0x{:x}", location.address),
    };
    location.unnamed = location.kind != FrameKind::Truncated;
    location.lines.push(builder.line(&name, "", "", 0));
}

fn look_up<'t, T>(table: &'t [T], index: i32, name: &'static str) -> Result<&'t T, WireError> {
    let found = usize::try_from(index).ok().and_then(|index| table.get(index));
    found.ok_or(WireError::Index { table: name, index: index.into(), len: table.len() })
}
