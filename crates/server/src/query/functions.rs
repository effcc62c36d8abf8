//! `/api/v1/functions` and `/api/v1/function`.

use axum::Json;
use axum::extract::State;
use infrared_profile::FrameKind;
use infrared_profile::callers_callees::{FunctionQuery, callers_callees};
use infrared_profile::functions::{FunctionTable, functions as table_of};
use serde::Serialize;

use super::params::{Pairs, Params};
use super::tree::{call_tree, tree_value};
use crate::error::ApiError;
use crate::state::App;

const DEFAULT_LIMIT: u64 = 500;
const MAX_LIMIT: u64 = 100_000;
/// Nodes of a callers or callees tree: it is JSON.
const SIDE_NODES: usize = 50_000;

#[derive(Serialize)]
pub(crate) struct Functions {
    total: u64,
    period_ns: u64,
    /// How many functions there are; `functions` has the first `limit` of them.
    count: usize,
    #[serde(rename = "functions")]
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    function: String,
    module: String,
    kind: FrameKind,
    #[serde(rename = "self")]
    self_value: u64,
    total: u64,
    self_share: f64,
    total_share: f64,
    self_ci: [f64; 2],
    total_ci: [f64; 2],
}

pub(crate) async fn functions(
    State(app): State<App>,
    pairs: Pairs,
) -> Result<Json<Functions>, ApiError> {
    let params = Params::parse(pairs, &["limit"])?;
    let limit = params.number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let answer = app.query(move |app, budget| {
        let tree = call_tree(app, params, Vec::new(), budget)?;
        let mut table = table_of(&tree);
        let count = table.functions.len();
        table.functions.truncate(limit as usize);
        let period_ns = tree.period_ns;
        Ok(Functions { total: table.total, period_ns, count, rows: rows(&table) })
    });
    answer.await.map(Json)
}

fn rows(table: &FunctionTable) -> Vec<Row> {
    let share = |value: u64| value as f64 / table.total.max(1) as f64;
    let interval = |value: u64| {
        table.share_interval(value).map_or([0.0, 1.0], |interval| [interval.low, interval.high])
    };
    let row = |f: &infrared_profile::functions::Function| Row {
        function: f.name.clone(),
        module: f.module.clone(),
        kind: f.kind,
        self_value: f.self_value,
        total: f.total,
        self_share: share(f.self_value),
        total_share: share(f.total),
        self_ci: interval(f.self_value),
        total_ci: interval(f.total),
    };
    table.functions.iter().map(row).collect()
}

#[derive(Serialize)]
pub(crate) struct CallersCallees {
    callers: serde_json::Value,
    callees: serde_json::Value,
    #[serde(rename = "self")]
    self_value: u64,
    total: u64,
}

pub(crate) async fn function(
    State(app): State<App>,
    pairs: Pairs,
) -> Result<Json<CallersCallees>, ApiError> {
    let params = Params::parse(pairs, &["name", "module"])?;
    let Some(name) = params.own("name").map(str::to_owned) else {
        return Err(ApiError::invalid("name must be given"));
    };
    let module = params.own("module").map(str::to_owned);
    let answer = app.query(move |app, budget| {
        let tree = call_tree(app, params, Vec::new(), budget)?;
        let query = FunctionQuery { name: &name, module: module.as_deref(), kind: None };
        let Some(found) = callers_callees(&tree, query, SIDE_NODES) else {
            return Err(ApiError::not_found(format!("no sample has the function {name:?}")));
        };
        Ok(CallersCallees {
            callers: tree_value(&found.callers)?,
            callees: tree_value(&found.callees)?,
            self_value: found.self_value,
            total: found.total,
        })
    });
    answer.await.map(Json)
}
