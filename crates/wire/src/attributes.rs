//! Series labels and attributes. A label is text; an attribute may be a number.

use infrared_profile::labels;

use crate::proto::common::any_value::Value;

/// Labels whose values the semantic conventions define as integers.
const INTEGERS: [&str; 5] =
    [labels::PID, "process.parent_pid", "thread.id", "cpu.logical_number", "process.owner.uid"];

/// Labels that differ between the samples of one process; all others describe the resource.
pub(crate) fn is_of_sample(label: &str) -> bool {
    ["thread.", "cpu.", "process.context.label."].iter().any(|prefix| label.starts_with(prefix))
}

/// The attribute value of a label.
pub(crate) fn value_of(label: &str, text: &str) -> Value {
    let number = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
    match number.filter(|_| INTEGERS.contains(&label)) {
        Some(number) => Value::IntValue(number),
        None => Value::StringValue(text.to_owned()),
    }
}
