//! Which elements of the dictionary are referred to, directly or through others.

use std::collections::HashSet;

use super::{Rule, Violations};
use crate::proto::common::AnyValue;
use crate::proto::common::any_value::Value;
use crate::proto::profiles as otlp;

/// Tables of the dictionary, in an order in which one refers only to later ones.
#[derive(Clone, Copy)]
pub(super) enum Table {
    Stack,
    Location,
    Mapping,
    Function,
    Link,
    Attribute,
    String,
}

const NAMES: [&str; 7] = [
    "stack_table",
    "location_table",
    "mapping_table",
    "function_table",
    "link_table",
    "attribute_table",
    "string_table",
];

pub(super) struct Referenced<'r> {
    dictionary: &'r otlp::ProfilesDictionary,
    /// Per table, per element.
    used: [Vec<bool>; 7],
}

impl<'r> Referenced<'r> {
    pub(super) fn new(dictionary: &'r otlp::ProfilesDictionary) -> Self {
        let lens = [
            dictionary.stack_table.len(),
            dictionary.location_table.len(),
            dictionary.mapping_table.len(),
            dictionary.function_table.len(),
            dictionary.link_table.len(),
            dictionary.attribute_table.len(),
            dictionary.string_table.len(),
        ];
        Self { dictionary, used: lens.map(|len| vec![false; len]) }
    }

    pub(super) fn mark(&mut self, table: Table, index: i32, at: &str, found: &mut Violations) {
        let slot = usize::try_from(index).ok().and_then(|at| self.used[table as usize].get_mut(at));
        match slot {
            Some(used) => *used = true,
            None => {
                found.add(Rule::IndexRange, || format!("{at}: {}[{index}]", NAMES[table as usize]));
            }
        }
    }

    pub(super) fn string(&mut self, index: i32, at: &str, found: &mut Violations) {
        self.mark(Table::String, index, at, found);
    }

    pub(super) fn text(&self, index: i32) -> &'r str {
        let table = &self.dictionary.string_table;
        usize::try_from(index).ok().and_then(|at| table.get(at)).map_or("", String::as_str)
    }

    pub(super) fn any_value(&mut self, value: Option<&AnyValue>, at: &str, found: &mut Violations) {
        let mut pending: Vec<&AnyValue> = value.into_iter().collect();
        while let Some(value) = pending.pop() {
            match &value.value {
                Some(Value::StringValueStrindex(index)) => self.string(*index, at, found),
                Some(Value::ArrayValue(array)) => pending.extend(&array.values),
                Some(Value::KvlistValue(list)) => {
                    for entry in &list.values {
                        self.string(entry.key_strindex, at, found);
                        pending.extend(&entry.value);
                    }
                }
                _ => {}
            }
        }
    }

    /// Marks a list of attributes and checks that their keys differ.
    pub(super) fn attributes(&mut self, indices: &[i32], at: &str, found: &mut Violations) {
        let mut keys = HashSet::new();
        for &index in indices {
            self.mark(Table::Attribute, index, at, found);
            let table = &self.dictionary.attribute_table;
            let attribute = usize::try_from(index).ok().and_then(|at| table.get(at));
            let Some(key) = attribute.map(|attribute| attribute.key_strindex) else { continue };
            if !keys.insert(self.text(key)) {
                found.add(Rule::DuplicateKey, || format!("{at}: {}", self.text(key)));
            }
        }
    }

    /// Marks what the marked elements refer to.
    pub(super) fn follow(&mut self, found: &mut Violations) {
        let dictionary = self.dictionary;
        for (at, stack) in dictionary.stack_table.iter().enumerate() {
            for &location in &stack.location_indices {
                self.mark(Table::Location, location, &format!("stack_table[{at}]"), found);
            }
        }
        for (at, location) in dictionary.location_table.iter().enumerate() {
            let at = format!("location_table[{at}]");
            self.mark(Table::Mapping, location.mapping_index, &at, found);
            self.attributes(&location.attribute_indices, &at, found);
            for line in &location.lines {
                self.mark(Table::Function, line.function_index, &at, found);
            }
        }
        for (at, mapping) in dictionary.mapping_table.iter().enumerate() {
            let at = format!("mapping_table[{at}]");
            self.string(mapping.filename_strindex, &at, found);
            self.attributes(&mapping.attribute_indices, &at, found);
        }
        for (at, function) in dictionary.function_table.iter().enumerate() {
            let at = format!("function_table[{at}]");
            self.string(function.name_strindex, &at, found);
            self.string(function.system_name_strindex, &at, found);
            self.string(function.filename_strindex, &at, found);
        }
        for (at, attribute) in dictionary.attribute_table.iter().enumerate() {
            let at = format!("attribute_table[{at}]");
            self.string(attribute.key_strindex, &at, found);
            self.string(attribute.unit_strindex, &at, found);
            self.any_value(attribute.value.as_ref(), &at, found);
        }
    }

    /// Element 0 needs no reference.
    pub(super) fn report_unused(&self, found: &mut Violations) {
        for (used, name) in self.used.iter().zip(NAMES) {
            let unused = used.iter().enumerate().skip(1).filter(|(_, used)| !**used);
            for (at, _) in unused {
                found.add(Rule::Unreferenced, || format!("{name}[{at}]"));
            }
        }
    }
}
