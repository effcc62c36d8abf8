//! `/api/v1/tree`: the call tree, binary or JSON.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use infrared_profile::labels;
use infrared_profile::tree::json::TreeJson;
use infrared_profile::tree::{CallTree, TreeOptions, encode};
use infrared_store::{Budget, Keep};

use super::params::{Pairs, Params};
use super::select;
use crate::error::ApiError;
use crate::state::{App, AppState};

const TREE: &str = "application/vnd.infrared.tree";

pub(crate) async fn tree(
    State(app): State<App>,
    headers: HeaderMap,
    pairs: Pairs,
) -> Result<Response, ApiError> {
    let params = Params::parse(pairs, &["by"])?;
    let group_by = match params.own("by") {
        Some("") => Vec::new(),
        Some(label) => vec![label.to_owned()],
        None if params.services.len() == 1 => Vec::new(),
        None => vec![labels::SERVICE.to_owned()],
    };
    let accept = headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()).unwrap_or("");
    let json = accept.contains("application/json") && !accept.contains(TREE);
    let answer = app.query(move |app, budget| {
        let tree = call_tree(app, params, group_by, budget)?;
        if json {
            let text = serde_json::to_vec(&TreeJson(&tree));
            return text.map_err(|error| ApiError::internal(&error));
        }
        Ok(encode::encode(&tree))
    });
    let kind = if json { "application/json" } else { TREE };
    Ok(([(header::CONTENT_TYPE, kind)], answer.await?).into_response())
}

/// The call tree of a selection; `group_by` labels become groups below the root.
pub(super) fn call_tree(
    app: &AppState,
    params: Params,
    group_by: Vec<String>,
    budget: &Budget,
) -> Result<CallTree, ApiError> {
    let keep = Keep::Labels(group_by.clone());
    let selected = select(app, params.selection, keep, budget)?;
    let options = TreeOptions { group_by, max_nodes: app.limits.tree_nodes };
    Ok(CallTree::from_profile(&selected.profile, &options))
}

/// A tree inside another JSON answer.
pub(super) fn tree_value(tree: &CallTree) -> Result<serde_json::Value, ApiError> {
    serde_json::to_value(TreeJson(tree)).map_err(|error| ApiError::internal(&error))
}
