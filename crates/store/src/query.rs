//! The typed query plan, and the answers' types. Times are Unix milliseconds.

use std::time::Instant;

use infrared_profile::{Profile, Series, ValueType, labels};

use crate::Coverage;
use crate::error::StoreError;

/// Half open: `from_ms <= t < to_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    pub from_ms: i64,
    pub to_ms: i64,
}

impl TimeRange {
    /// Whether a window that starts at `start_ms` has any part in this range.
    pub fn overlaps(&self, start_ms: i64, duration_ms: u32) -> bool {
        start_ms < self.to_ms && start_ms.saturating_add(i64::from(duration_ms)) > self.from_ms
    }
}

/// A condition on one label of a series. A missing label counts as the empty string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    AnyOf { label: String, values: Vec<String> },
    NoneOf { label: String, values: Vec<String> },
}

impl Matcher {
    pub fn matches(&self, series: &Series) -> bool {
        let value = |label: &String| series.get(label).map_or("", String::as_str);
        match self {
            Self::AnyOf { label, values } => values.iter().any(|v| v == value(label)),
            Self::NoneOf { label, values } => values.iter().all(|v| v != value(label)),
        }
    }
}

/// Which part of the stored data a question is about. A window of samples belongs to the range if any part of it
/// does, and then counts whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    pub range: TimeRange,
    pub value_type: ValueType,
    /// All must match.
    pub matchers: Vec<Matcher>,
}

impl Selection {
    /// On-CPU samples of everything in `range`.
    pub fn cpu(range: TimeRange) -> Self {
        Self { range, value_type: ValueType::cpu_samples(), matchers: Vec::new() }
    }

    #[must_use]
    pub fn services(mut self, services: &[&str]) -> Self {
        self.matchers.push(Matcher::AnyOf {
            label: labels::SERVICE.into(),
            values: services.iter().map(ToString::to_string).collect(),
        });
        self
    }

    pub fn matches(&self, series: &Series) -> bool {
        self.matchers.iter().all(|m| m.matches(series))
    }
}

/// What a query may cost before it is refused.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub deadline: Option<Instant>,
    /// Distinct (series, stack) pairs held at once.
    pub max_rows: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { deadline: None, max_rows: 4_000_000 }
    }
}

impl Budget {
    /// Whether `rows` held and the time used are within the budget.
    pub fn check(&self, rows: usize) -> Result<(), StoreError> {
        if rows > self.max_rows {
            return Err(StoreError::TooLarge { limit: self.max_rows });
        }
        if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(StoreError::DeadlineExceeded);
        }
        Ok(())
    }
}

/// Which labels stay apart in an answer; values of series that agree on them are summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    All,
    Labels(Vec<String>),
}

impl Keep {
    pub(crate) fn project(&self, series: &Series) -> Series {
        match self {
            Self::All => series.clone(),
            Self::Labels(names) => names
                .iter()
                .filter_map(|name| Some((name.clone(), series.get(name)?.clone())))
                .collect(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Query {
    pub selection: Selection,
    pub keep: Keep,
    pub budget: Budget,
}

/// The merged samples of a selection.
#[derive(Clone, Debug)]
pub struct Selected {
    /// One sample per (kept labels, stack). Windows with other periods are scaled to the smallest one; the total of
    /// each is kept to within one sample.
    pub profile: Profile,
    pub coverage: Coverage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineSpec {
    /// At least 1.
    pub step_ms: u32,
    /// Split by this label.
    pub by: Option<String>,
    /// With `by`: how many values get a group of their own; the rest is [`Group::Other`].
    pub top: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    All,
    Value(String),
    Other,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TimelineGroup {
    pub group: Group,
    /// Per step: value × period, in nanoseconds; the plain value for types without a period. A window that spans
    /// several steps is spread evenly over them.
    pub weights: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// A multiple of `step_ms`, at or before the range's start.
    pub start_ms: i64,
    pub step_ms: u32,
    /// Per step: how many milliseconds of it were recorded by anyone; 0 means no data, which is not zero CPU.
    pub covered_ms: Vec<f64>,
    /// Largest first, [`Group::Other`] last.
    pub groups: Vec<TimelineGroup>,
}

impl Timeline {
    /// Steps an answer may have.
    pub const MAX_STEPS: usize = 11_000;
}
