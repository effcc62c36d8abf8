//! `/api/v1/labels`: what the filters offer.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::cores::cores_of;
use super::params::{Pairs, Params};
use crate::error::ApiError;
use crate::state::App;

/// Values of one label, largest first; `more` says how many are left out.
const VALUES: usize = 1000;

#[derive(Serialize)]
pub(crate) struct Labels {
    labels: Vec<Label>,
}

#[derive(Serialize)]
struct Label {
    name: String,
    values: Vec<Value>,
    more: usize,
}

#[derive(Serialize)]
struct Value {
    value: String,
    cpu: f64,
}

pub(crate) async fn labels(State(app): State<App>, pairs: Pairs) -> Result<Json<Labels>, ApiError> {
    let params = Params::parse(pairs, &[])?;
    let answer = app.query(move |app, budget| {
        let totals = app.store.series_totals(&params.selection, budget)?;
        let coverage = totals.coverage;
        let labels = infrared_store::label_values(&totals).into_iter().map(|(name, values)| {
            let cpu = |(value, weight)| Value { value, cpu: cores_of(weight, coverage) };
            let mut values: Vec<Value> = values.into_iter().map(cpu).collect();
            values.sort_by(|a, b| b.cpu.total_cmp(&a.cpu).then_with(|| a.value.cmp(&b.value)));
            let more = values.len().saturating_sub(VALUES);
            values.truncate(VALUES);
            Label { name, values, more }
        });
        Ok(Labels { labels: labels.collect() })
    });
    answer.await.map(Json)
}
