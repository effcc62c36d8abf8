//! `/api/v1/export`: a selection as a file.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use infrared_profile::tree::{CallTree, TreeOptions};
use infrared_profile::{Profile, folded, html, json, labels, pprof, short_names, speedscope, svg};
use infrared_store::Keep;

use super::params::{Pairs, Params};
use super::{by_service, select};
use crate::error::ApiError;
use crate::state::App;
use crate::ui;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Folded,
    Pprof,
    Speedscope,
    Svg,
    Html,
    Json,
}

impl Format {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "folded" => Self::Folded,
            "pprof" => Self::Pprof,
            "speedscope" => Self::Speedscope,
            "svg" => Self::Svg,
            "html" => Self::Html,
            "json" => Self::Json,
            _ => return None,
        })
    }

    /// The file's ending and its media type.
    fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Folded => ("folded", "text/plain; charset=utf-8"),
            Self::Pprof => ("pb.gz", "application/octet-stream"),
            Self::Speedscope => ("speedscope.json", "application/json"),
            Self::Svg => ("svg", "image/svg+xml"),
            Self::Html => ("html", "text/html; charset=utf-8"),
            Self::Json => ("json", "application/json"),
        }
    }

    fn keep(self) -> Keep {
        match self {
            Self::Pprof | Self::Json => Keep::All,
            _ => by_service(),
        }
    }
}

pub(crate) async fn export(State(app): State<App>, pairs: Pairs) -> Result<Response, ApiError> {
    let params = Params::parse(pairs, &["format", "names"])?;
    let Some(format) = params.own("format").and_then(Format::parse) else {
        let message = "format must be folded, pprof, speedscope, svg, html or json";
        return Err(ApiError::invalid(message));
    };
    let has_short_names = match params.own("names") {
        None | Some("full") => false,
        Some("short") => true,
        Some(_) => return Err(ApiError::invalid("names must be full or short")),
    };
    let title = title(&params);
    let name = file_name(&title, params.selection.range.from_ms, format);
    let one_service = params.services.len() == 1;
    let answer = app.query(move |app, budget| {
        let mut selected = select(app, params.selection, format.keep(), budget)?;
        // A page has both.
        if has_short_names && format != Format::Html {
            short_names::shorten_all(&mut selected.profile);
        }
        let group_by = if one_service { vec![] } else { vec![labels::SERVICE.to_owned()] };
        let options = TreeOptions { group_by, max_nodes: app.limits.tree_nodes };
        write((format, has_short_names), &selected.profile, &options, &title)
    });
    let body = answer.await?;
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
        .map_err(|error| ApiError::internal(&error))?;
    let kind = HeaderValue::from_static(format.file().1);
    let sandbox = HeaderValue::from_static("sandbox allow-scripts");
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CONTENT_SECURITY_POLICY, sandbox),
    ];
    Ok((headers, body).into_response())
}

fn write(
    (format, has_short_names): (Format, bool),
    profile: &Profile,
    options: &TreeOptions,
    title: &str,
) -> Result<Vec<u8>, ApiError> {
    let mut out = Vec::new();
    let tree = || CallTree::from_profile(profile, options);
    let written = match format {
        Format::Folded => folded::write(profile, folded::Unit::Samples, &[], &mut out),
        Format::Pprof => pprof::write(profile, &[title], &mut out),
        Format::Speedscope => speedscope::write(profile, title, &[], &mut out),
        Format::Json => json::write(profile, &mut out),
        Format::Svg => {
            let options = svg::SvgOptions { title, ..svg::SvgOptions::default() };
            svg::write(&tree(), options, &mut out)
        }
        Format::Html => {
            let Some(viewer_js) = ui::viewer_js() else {
                let message = "the web UI was not built: run make web";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                return Err(ApiError::new(status, "not_built", message));
            };
            html::write(
                &tree(),
                html::Page { title, viewer_js: &viewer_js, has_short_names },
                &mut out,
            )
        }
    };
    written.map_err(|error| ApiError::internal(&error))?;
    Ok(out)
}

fn title(params: &Params) -> String {
    match &params.services[..] {
        [] => "all services".to_owned(),
        services => services.join(", "),
    }
}

/// Letters, digits and dashes of the title: a service's name may hold anything.
fn file_name(title: &str, from_ms: i64, format: Format) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = title.chars().take(60).map(safe).collect();
    format!("infrared-{name}-{}.{}", from_ms / 1000, format.file().0)
}
