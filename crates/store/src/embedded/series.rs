//! Questions that need no stacks: totals per series, and weight over time.

use std::collections::HashMap;

use super::Shared;
use super::head::{Fact, Head};
use super::ids::SeriesKey;
use super::scan::{Visitor, scan};
use crate::coverage::spread;
use crate::{
    Budget, Group, Selection, SeriesTotal, SeriesTotals, StoreError, TimeRange, Timeline,
    TimelineGroup, TimelineSpec,
};

#[derive(Default)]
struct Totals(Vec<Option<SeriesTotal>>);

impl Visitor for Totals {
    fn fact(&mut self, index: u32, series: &SeriesKey, fact: &Fact) {
        let slot = index as usize;
        if self.0.len() <= slot {
            self.0.resize(slot + 1, None);
        }
        let total = self.0[slot].get_or_insert_with(|| SeriesTotal {
            labels: series.labels.clone(),
            period_ns: series.period_ns,
            value: 0,
        });
        total.value = total.value.saturating_add(fact.value);
    }

    fn head_done(&mut self, _: &Head) {}

    fn rows(&self) -> usize {
        self.0.len()
    }
}

pub(super) fn totals(
    shared: &Shared,
    selection: &Selection,
    budget: &Budget,
) -> Result<SeriesTotals, StoreError> {
    let mut totals = Totals::default();
    let scanned = scan(shared, selection, budget, &mut totals)?;
    let series = totals.0.into_iter().flatten().collect();
    Ok(SeriesTotals { series, coverage: scanned.windows.coverage() })
}

struct Steps<'t> {
    by: Option<&'t str>,
    /// Index of the group of each of the top values.
    groups: &'t HashMap<String, usize>,
    other: usize,
    group_of_series: HashMap<u32, usize>,
    start_ms: i64,
    step_ms: u32,
    count: usize,
    weights: Vec<Vec<f64>>,
}

impl Visitor for Steps<'_> {
    fn fact(&mut self, index: u32, series: &SeriesKey, fact: &Fact) {
        let group = *self.group_of_series.entry(index).or_insert_with(|| {
            let Some(label) = self.by else { return 0 };
            let value = series.labels.get(label).map_or("", String::as_str);
            self.groups.get(value).copied().unwrap_or(self.other)
        });
        let weight = fact.value as f64 * series.period_ns.max(1) as f64;
        let duration = f64::from(fact.duration_ms.max(1));
        let to_ms = fact.start_ms.saturating_add(i64::from(fact.duration_ms));
        let window = TimeRange { from_ms: fact.start_ms, to_ms };
        let row = &mut self.weights[group];
        spread(window, self.start_ms, self.step_ms, self.count, |step, ms| {
            row[step] += weight * ms / duration;
        });
    }

    fn head_done(&mut self, _: &Head) {}

    fn rows(&self) -> usize {
        self.group_of_series.len()
    }
}

pub(super) fn timeline(
    shared: &Shared,
    selection: &Selection,
    spec: &TimelineSpec,
    budget: &Budget,
) -> Result<Timeline, StoreError> {
    let (start_ms, steps) = grid(selection.range, spec.step_ms)?;
    let top = match &spec.by {
        Some(label) => top_values(&totals(shared, selection, budget)?, label, spec.top),
        None => Vec::new(),
    };
    let groups: HashMap<String, usize> =
        top.iter().enumerate().map(|(index, value)| (value.clone(), index)).collect();
    let mut visitor = Steps {
        by: spec.by.as_deref(),
        groups: &groups,
        other: top.len(),
        group_of_series: HashMap::new(),
        start_ms,
        step_ms: spec.step_ms,
        count: steps,
        weights: vec![vec![0.0; steps]; top.len() + 1],
    };
    let scanned = scan(shared, selection, budget, &mut visitor)?;
    let mut weights = visitor.weights;
    let last = weights.pop().unwrap_or_default();
    let mut groups: Vec<TimelineGroup> = top
        .into_iter()
        .zip(weights)
        .map(|(value, weights)| TimelineGroup { group: Group::Value(value), weights })
        .collect();
    if spec.by.is_none() {
        groups.push(TimelineGroup { group: Group::All, weights: last });
    } else if last.iter().any(|w| *w > 0.0) {
        groups.push(TimelineGroup { group: Group::Other, weights: last });
    }
    let covered_ms = scanned.windows.per_step(start_ms, spec.step_ms, steps);
    Ok(Timeline { start_ms, step_ms: spec.step_ms, covered_ms, groups })
}

/// Start of the first step and the number of steps.
fn grid(range: TimeRange, step_ms: u32) -> Result<(i64, usize), StoreError> {
    let invalid = |reason: String| Err(StoreError::InvalidQuery(reason));
    if step_ms == 0 {
        return invalid("the step must be at least 1 ms".into());
    }
    let step = i64::from(step_ms);
    let start_ms = range.from_ms.div_euclid(step).saturating_mul(step);
    let length = u64::try_from(range.to_ms.saturating_sub(start_ms)).unwrap_or(0);
    let steps = length.div_ceil(u64::from(step_ms));
    if steps > Timeline::MAX_STEPS as u64 {
        let most = Timeline::MAX_STEPS;
        return invalid(format!("{steps} steps are too many (at most {most}): use a larger step"));
    }
    Ok((start_ms, steps as usize))
}

/// The values of `label` with the largest weights, largest first.
fn top_values(totals: &SeriesTotals, label: &str, top: usize) -> Vec<String> {
    let mut weights: HashMap<&str, f64> = HashMap::new();
    for total in &totals.series {
        let value = total.labels.get(label).map_or("", String::as_str);
        *weights.entry(value).or_default() += total.weight();
    }
    let mut sorted: Vec<_> = weights.into_iter().collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    sorted.into_iter().take(top).map(|(value, _)| value.to_owned()).collect()
}
