//! `/api/v1/timeline`: CPU over time.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use infrared_store::{Group, TimelineSpec};
use serde::Serialize;

use super::cores::{per_step, round_step_ms};
use super::params::{Pairs, Params};
use crate::error::ApiError;
use crate::state::App;

const POINTS: i64 = 300;
const TOP: usize = 20;
const OTHER: &str = "other";

#[derive(Serialize)]
pub(crate) struct TimelineAnswer {
    start_ms: i64,
    step_ms: u32,
    series: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    labels: BTreeMap<String, String>,
    cpu: Vec<Option<f64>>,
}

pub(crate) async fn timeline(
    State(app): State<App>,
    pairs: Pairs,
) -> Result<Json<TimelineAnswer>, ApiError> {
    let params = Params::parse(pairs, &["step", "by"])?;
    let range = params.selection.range;
    let step = params.number("step", 1000..=86_400_000)?;
    let step_ms = step.map_or_else(
        || round_step_ms(range.to_ms - range.from_ms, POINTS),
        |step| u32::try_from(step).unwrap_or(u32::MAX),
    );
    let by = params.own("by").filter(|by| !by.is_empty()).map(str::to_owned);
    let spec = TimelineSpec { step_ms, by, top: TOP };
    let answer = app.query(move |app, budget| {
        let timeline = app.store.timeline(&params.selection, &spec, budget)?;
        let lines = timeline.groups.iter().map(|group| Line {
            labels: match (&spec.by, &group.group) {
                (Some(by), Group::Value(value)) => BTreeMap::from([(by.clone(), value.clone())]),
                (Some(by), _) => BTreeMap::from([(by.clone(), OTHER.to_owned())]),
                (None, _) => BTreeMap::new(),
            },
            cpu: per_step(&group.weights, &timeline.covered_ms),
        });
        let series = lines.collect();
        Ok(TimelineAnswer { start_ms: timeline.start_ms, step_ms, series })
    });
    answer.await.map(Json)
}
