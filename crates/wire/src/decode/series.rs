//! Attributes of resources and samples to labels of series.

use infrared_profile::Series;

use super::tables::Tables;
use crate::proto::common::AnyValue;
use crate::proto::common::any_value::Value;
use crate::proto::resource::Resource;
use crate::{Limits, WireError};

/// The labels that all samples of a resource share.
pub(super) struct ResourceLabels {
    labels: Series,
    bytes: usize,
}

impl ResourceLabels {
    pub(super) fn new(resource: Option<&Resource>, tables: &Tables<'_>) -> Result<Self, WireError> {
        let mut new = Self { labels: Series::new(), bytes: 0 };
        for attribute in resource.into_iter().flat_map(|resource| &resource.attributes) {
            let key = match attribute.key_strindex {
                0 => attribute.key.as_str(),
                index => tables.string(index)?,
            };
            if let Some(text) = text_of(attribute.value.as_ref(), tables)? {
                new.insert(key, text, tables.limits)?;
            }
        }
        Ok(new)
    }

    /// The labels of a sample: the resource's and its own, which win.
    pub(super) fn with(&self, indices: &[i32], tables: &Tables<'_>) -> Result<Series, WireError> {
        if indices.len() > tables.limits.labels {
            return Err(too_many(tables.limits));
        }
        let mut all = Self { labels: self.labels.clone(), bytes: self.bytes };
        for &index in indices {
            let attribute = tables.attribute(index)?;
            if let Some(text) = text_of(attribute.value.as_ref(), tables)? {
                all.insert(tables.string(attribute.key_strindex)?, text, tables.limits)?;
            }
        }
        Ok(all.labels)
    }

    fn insert(&mut self, key: &str, text: String, limits: &Limits) -> Result<(), WireError> {
        self.bytes = self.bytes.saturating_add(key.len()).saturating_add(text.len());
        if self.bytes > limits.series_bytes {
            return Err(WireError::Limit { what: "size of labels", limit: limits.series_bytes });
        }
        self.labels.insert(key.to_owned(), text);
        if self.labels.len() > limits.labels { Err(too_many(limits)) } else { Ok(()) }
    }
}

fn too_many(limits: &Limits) -> WireError {
    WireError::Limit { what: "number of labels", limit: limits.labels }
}

/// A scalar as text; `None` for what is no label.
fn text_of(value: Option<&AnyValue>, tables: &Tables<'_>) -> Result<Option<String>, WireError> {
    let text = match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::StringValueStrindex(index)) => tables.string(*index)?.to_owned(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::ArrayValue(_) | Value::KvlistValue(_) | Value::BytesValue(_)) | None => {
            return Ok(None);
        }
    };
    Ok(Some(text))
}
