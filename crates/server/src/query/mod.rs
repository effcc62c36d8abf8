//! The questions. Each handler parses its parameters, asks the store on a thread that may block, and shapes the answer.

mod cores;
mod export;
mod functions;
mod labels;
mod params;
mod quality;
mod services;
mod status;
mod timeline;
mod tree;

pub(crate) use export::export;
pub(crate) use functions::{function, functions};
pub(crate) use labels::labels;
pub(crate) use quality::quality;
pub(crate) use services::services;
pub(crate) use status::status;
pub(crate) use timeline::timeline;
pub(crate) use tree::tree;

use infrared_profile::labels as label;
use infrared_store::{Budget, Keep, Query, Selected, Selection};

use crate::error::ApiError;
use crate::state::AppState;

/// Merges a selection; series stay apart by `keep`.
fn select(
    app: &AppState,
    selection: Selection,
    keep: Keep,
    budget: &Budget,
) -> Result<Selected, ApiError> {
    Ok(app.store.select(&Query { selection, keep, budget: *budget })?)
}

fn by_service() -> Keep {
    Keep::Labels(vec![label::SERVICE.into()])
}
