//! `/api/v1/services`: who burns CPU.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::Json;
use axum::extract::State;
use infrared_profile::{FrameKind, Profile, Sample, labels};
use infrared_store::{Budget, Group, Selection, SeriesTotals, TimeRange, Timeline, TimelineSpec};
use serde::Serialize;

use super::cores::{cores_of, per_step, round_step_ms};
use super::params::{Pairs, Params};
use super::{by_service, select};
use crate::error::ApiError;
use crate::state::{App, AppState};

const SPARK_POINTS: i64 = 60;
/// Services that get a sparkline.
const SPARKS: usize = 500;
/// `cpu_now` is that of the last windows that touch so many milliseconds.
const NOW_MS: i64 = 10_000;

#[derive(Serialize)]
pub(crate) struct Services {
    #[serde(rename = "services")]
    rows: Vec<Service>,
    total_cpu: f64,
    from_ms: i64,
    to_ms: i64,
}

#[derive(Default, Serialize)]
struct Service {
    #[serde(rename = "service")]
    name: String,
    cpu: f64,
    cpu_now: f64,
    samples: u64,
    truncated_share: f64,
    guessed_share: f64,
    unnamed_share: f64,
    processes: usize,
    hosts: usize,
    containers: usize,
    is_self: bool,
    kinds: BTreeMap<&'static str, u64>,
    spark: Spark,
}

#[derive(Default, Serialize)]
struct Spark {
    start_ms: i64,
    step_ms: u32,
    cpu: Vec<Option<f64>>,
}

pub(crate) async fn services(
    State(app): State<App>,
    pairs: Pairs,
) -> Result<Json<Services>, ApiError> {
    let params = Params::parse(pairs, &[])?;
    app.query(move |app, budget| answer(app, params.selection, budget)).await.map(Json)
}

fn answer(app: &AppState, selection: Selection, budget: &Budget) -> Result<Services, ApiError> {
    let range = selection.range;
    let totals = app.store.series_totals(&selection, budget)?;
    let now = now_by_service(app, &selection, &totals, budget)?;
    let spec = TimelineSpec {
        step_ms: round_step_ms(range.to_ms - range.from_ms, SPARK_POINTS),
        by: Some(labels::SERVICE.into()),
        top: SPARKS,
    };
    let timeline = app.store.timeline(&selection, &spec, budget)?;
    let mut services = from_totals(&totals);
    add_stacks(&mut services, &select(app, selection, by_service(), budget)?.profile);
    for (name, service) in &mut services {
        service.cpu_now = now.get(name).copied().unwrap_or(0.0);
    }
    add_sparks(&mut services, &timeline);
    let mut services: Vec<Service> = services.into_values().collect();
    services.sort_by(|a, b| b.cpu.total_cmp(&a.cpu).then_with(|| a.name.cmp(&b.name)));
    let total_ns: f64 = totals.series.iter().map(infrared_store::SeriesTotal::weight).sum();
    let total_cpu = cores_of(total_ns, totals.coverage);
    Ok(Services { rows: services, total_cpu, from_ms: range.from_ms, to_ms: range.to_ms })
}

/// CPU at the end of what was recorded.
fn now_by_service(
    app: &AppState,
    selection: &Selection,
    totals: &SeriesTotals,
    budget: &Budget,
) -> Result<BTreeMap<String, f64>, ApiError> {
    let to_ms = totals.coverage.to_ms.min(selection.range.to_ms);
    let range = TimeRange { from_ms: to_ms.saturating_sub(NOW_MS), to_ms };
    let last = Selection { range, ..selection.clone() };
    let totals = app.store.series_totals(&last, budget)?;
    let mut now: BTreeMap<String, f64> = BTreeMap::new();
    for series in &totals.series {
        let name = series.labels.get(labels::SERVICE).cloned().unwrap_or_default();
        *now.entry(name).or_default() += cores_of(series.weight(), totals.coverage);
    }
    Ok(now)
}

#[derive(Default)]
struct Distinct<'t> {
    processes: BTreeSet<(Option<&'t String>, &'t String)>,
    hosts: BTreeSet<&'t String>,
    containers: BTreeSet<&'t String>,
    weight_ns: f64,
}

fn from_totals(totals: &SeriesTotals) -> HashMap<String, Service> {
    let mut services: HashMap<String, Service> = HashMap::new();
    let mut distinct: HashMap<&str, Distinct<'_>> = HashMap::new();
    for series in &totals.series {
        let labels = &series.labels;
        let name = labels.get(labels::SERVICE).map_or("", String::as_str);
        let service = services.entry(name.to_owned()).or_default();
        service.samples = service.samples.saturating_add(series.value);
        service.is_self |= labels.get(labels::SELF).is_some_and(|v| v == "true");
        let seen = distinct.entry(name).or_default();
        seen.weight_ns += series.weight();
        let host = labels.get(labels::HOST);
        seen.hosts.extend(host);
        seen.processes.extend(labels.get(labels::PID).map(|pid| (host, pid)));
        seen.containers.extend(labels.get(labels::CONTAINER_ID));
    }
    for (name, service) in &mut services {
        name.clone_into(&mut service.name);
        let Some(seen) = distinct.get(name.as_str()) else { continue };
        service.cpu = cores_of(seen.weight_ns, totals.coverage);
        service.processes = seen.processes.len();
        service.hosts = seen.hosts.len();
        service.containers = seen.containers.len();
    }
    services
}

#[derive(Clone, Copy)]
struct StackTraits {
    leaf: FrameKind,
    truncated: bool,
    /// Whole, but for a guess on the way.
    guessed: bool,
    unnamed: bool,
}

fn traits_of(profile: &Profile, sample: &Sample) -> Option<StackTraits> {
    let stack = profile.stack(sample.stack)?;
    let locations = || stack.iter().filter_map(|l| profile.location(*l));
    let leaf = locations().next()?;
    let truncated = locations().next_back()?.kind == FrameKind::Truncated;
    let guessed = !truncated && locations().any(|location| location.low_confidence);
    Some(StackTraits { leaf: leaf.kind, truncated, guessed, unnamed: leaf.unnamed })
}

/// Kinds of leaves, and the shares of stacks that are not whole, have a guess, or end in a nameless leaf.
fn add_stacks(services: &mut HashMap<String, Service>, profile: &Profile) {
    let mut sums: HashMap<&str, [u64; 4]> = HashMap::new();
    for sample in &profile.samples {
        let Some(labels) = profile.series(sample.series) else { continue };
        let name = labels.get(labels::SERVICE).map_or("", String::as_str);
        let Some(traits) = traits_of(profile, sample) else { continue };
        let counted = [true, traits.truncated, traits.guessed, traits.unnamed];
        for (sum, counts) in sums.entry(name).or_default().iter_mut().zip(counted) {
            *sum += if counts { sample.value } else { 0 };
        }
        if let Some(service) = services.get_mut(name) {
            *service.kinds.entry(kind_name(traits.leaf)).or_default() += sample.value;
        }
    }
    for (name, [all, truncated, guessed, unnamed]) in sums {
        if let Some(service) = services.get_mut(name) {
            let share = |part: u64| part as f64 / all.max(1) as f64;
            service.truncated_share = share(truncated);
            service.guessed_share = share(guessed);
            service.unnamed_share = share(unnamed);
        }
    }
}

fn kind_name(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Native => "native",
        FrameKind::Kernel => "kernel",
        FrameKind::Go => "go",
        FrameKind::Jit => "jit",
        FrameKind::Python => "python",
        FrameKind::Java => "java",
        FrameKind::JavaScript => "javascript",
        FrameKind::Vdso => "vdso",
        FrameKind::Runtime => "runtime",
        FrameKind::Truncated => "truncated",
        FrameKind::Event => "event",
    }
}

fn add_sparks(services: &mut HashMap<String, Service>, timeline: &Timeline) {
    for group in &timeline.groups {
        let Group::Value(name) = &group.group else { continue };
        if let Some(service) = services.get_mut(name) {
            service.spark = Spark {
                start_ms: timeline.start_ms,
                step_ms: timeline.step_ms,
                cpu: per_step(&group.weights, &timeline.covered_ms),
            };
        }
    }
}
