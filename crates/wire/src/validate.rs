//! Checks a request against the conformance rules of the profiling SIG (as of proto 1.10, 2026).
//!
//! For tests and for `doctor`-like tools: receiving does not need it, [`crate::from_otlp`] is lenient where no data are at stake.

mod references;
mod samples;

use std::collections::HashSet;

use crate::proto::collector::ExportProfilesServiceRequest;
use crate::proto::common::KeyValue;
use crate::proto::profiles as otlp;
use references::Referenced;

/// A rule of conformance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Element 0 of every table is there and is the zero value.
    ZeroElement,
    /// No table has an element twice.
    Duplicate,
    /// Every element but 0 is referred to.
    Unreferenced,
    /// Every index is inside its table.
    IndexRange,
    /// Samples of a profile all have values, or all times, or both.
    MixedShapes,
    /// A sample has one value, or times, or as many values as times.
    SampleShape,
    /// Times lie in the window of the profile.
    TimeWindow,
    /// No key comes twice among attributes of one thing.
    DuplicateKey,
    /// Trace ids have 16 bytes, span ids 8.
    LinkLength,
    /// A mapping's start is below its limit, unless both are 0.
    MappingRange,
}

/// A rule that a request breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    /// Where: table and index, or the path to a sample.
    pub at: String,
}

/// More violations than this are not looked for.
const MAX_VIOLATIONS: usize = 1000;

/// All that is wrong with `request`, up to a bound; empty if it conforms.
pub fn validate(request: &ExportProfilesServiceRequest) -> Vec<Violation> {
    let empty = otlp::ProfilesDictionary::default();
    let dictionary = request.dictionary.as_ref().unwrap_or(&empty);
    let mut found = Violations::default();
    tables(dictionary, &mut found);
    let mut referenced = Referenced::new(dictionary);
    for (at, resource) in request.resource_profiles.iter().enumerate() {
        let at = format!("resource_profiles[{at}]");
        let attributes = resource.resource.iter().flat_map(|resource| &resource.attributes);
        key_values(attributes, &at, &mut referenced, &mut found);
        let scopes = resource.scope_profiles.iter().enumerate();
        for (scope_at, scope) in scopes {
            for (profile_at, profile) in scope.profiles.iter().enumerate() {
                let at = format!("{at}.scope_profiles[{scope_at}].profiles[{profile_at}]");
                samples::check(profile, &at, &mut referenced, &mut found);
            }
        }
    }
    referenced.follow(&mut found);
    referenced.report_unused(&mut found);
    found.0
}

/// Violations up to the bound.
#[derive(Debug, Default)]
struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, rule: Rule, at: impl FnOnce() -> String) {
        if self.0.len() < MAX_VIOLATIONS {
            self.0.push(Violation { rule, at: at() });
        }
    }
}

fn key_values<'r>(
    attributes: impl Iterator<Item = &'r KeyValue>,
    at: &str,
    referenced: &mut Referenced<'_>,
    found: &mut Violations,
) {
    let mut keys = HashSet::new();
    for attribute in attributes {
        referenced.string(attribute.key_strindex, at, found);
        referenced.any_value(attribute.value.as_ref(), at, found);
        let key = match attribute.key_strindex {
            0 => attribute.key.as_str(),
            index => referenced.text(index),
        };
        if !keys.insert(key.to_owned()) {
            found.add(Rule::DuplicateKey, || format!("{at}: {key}"));
        }
    }
}

fn tables(dictionary: &otlp::ProfilesDictionary, found: &mut Violations) {
    table("mapping_table", &dictionary.mapping_table, found);
    table("location_table", &dictionary.location_table, found);
    table("function_table", &dictionary.function_table, found);
    table("link_table", &dictionary.link_table, found);
    table("string_table", &dictionary.string_table, found);
    table("attribute_table", &dictionary.attribute_table, found);
    table("stack_table", &dictionary.stack_table, found);
    for (at, mapping) in dictionary.mapping_table.iter().enumerate() {
        let (start, limit) = (mapping.memory_start, mapping.memory_limit);
        if start >= limit && (start, limit) != (0, 0) {
            found.add(Rule::MappingRange, || format!("mapping_table[{at}]"));
        }
    }
    for (at, link) in dictionary.link_table.iter().enumerate().skip(1) {
        if (link.trace_id.len(), link.span_id.len()) != (16, 8) {
            found.add(Rule::LinkLength, || format!("link_table[{at}]"));
        }
    }
}

/// Elements compare by their encoding: not all of them can be hashed.
trait Element: Default + PartialEq {
    fn bytes(&self) -> Vec<u8>;
}

impl Element for String {
    fn bytes(&self) -> Vec<u8> {
        self.clone().into_bytes()
    }
}

macro_rules! elements {
    ($($message:ty),*) => {
        $(impl Element for $message {
            fn bytes(&self) -> Vec<u8> {
                prost::Message::encode_to_vec(self)
            }
        })*
    };
}
elements!(
    otlp::Mapping,
    otlp::Location,
    otlp::Function,
    otlp::Link,
    otlp::KeyValueAndUnit,
    otlp::Stack
);

fn table<T: Element>(name: &str, elements: &[T], found: &mut Violations) {
    if elements.first() != Some(&T::default()) {
        found.add(Rule::ZeroElement, || name.to_owned());
    }
    let mut seen = HashSet::new();
    for (at, element) in elements.iter().enumerate() {
        if !seen.insert(element.bytes()) {
            found.add(Rule::Duplicate, || format!("{name}[{at}]"));
        }
    }
}
