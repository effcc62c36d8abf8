//! A window of samples as two tables. Pure.

use std::collections::{HashMap, HashSet};

use infrared_profile::{
    Profile, functions, labels,
    tree::{CallTree, TreeOptions},
};
use serde::Serialize;

use crate::terminal::harmless;

/// A service and what it used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct ServiceRow {
    pub(super) service: String,
    /// Cores: CPU seconds a second.
    pub(super) cpu: f64,
    pub(super) samples: u64,
    pub(super) processes: u64,
}

/// A function, over all services.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct FunctionRow {
    pub(super) function: String,
    /// File name of the executable or library.
    pub(super) module: String,
    /// Cores that the function itself used.
    pub(super) self_cpu: f64,
    /// Cores that it and what it called used.
    pub(super) total_cpu: f64,
    pub(super) samples: u64,
}

/// What one window shows, each table by CPU.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Picture {
    /// Unix time in milliseconds.
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    /// Cores that all together used.
    pub(super) cpu: f64,
    pub(super) samples: u64,
    pub(super) services: Vec<ServiceRow>,
    pub(super) functions: Vec<FunctionRow>,
}

impl Picture {
    pub(super) fn of(profile: &Profile) -> Self {
        let cores = |samples: u64| {
            samples as f64 * profile.period_ns as f64 / profile.duration_ns.max(1) as f64
        };
        let tree = CallTree::from_profile(profile, &TreeOptions::default());
        let functions = functions::functions(&tree).functions.into_iter().map(|row| FunctionRow {
            function: harmless(&row.name),
            module: harmless(row.module.rsplit('/').next().unwrap_or_default()),
            self_cpu: cores(row.self_value),
            total_cpu: cores(row.total),
            samples: row.self_value,
        });
        Self {
            from_ms: profile.start_ns / 1_000_000,
            to_ms: (profile.start_ns + profile.duration_ns) / 1_000_000,
            cpu: cores(profile.total()),
            samples: profile.total(),
            services: services(profile, cores),
            functions: functions.collect(),
        }
    }

    /// The first rows of each table.
    pub(super) fn first(&self, rows: usize) -> Self {
        Self {
            services: self.services.iter().take(rows).cloned().collect(),
            functions: self.functions.iter().take(rows).cloned().collect(),
            ..*self
        }
    }

    /// Both tables as text.
    pub(super) fn to_text(&self) -> String {
        let seconds = (self.to_ms - self.from_ms) as f64 / 1000.0;
        let mut text = format!(
            "{:.2} CPUs busy over {seconds:.1} s, {} samples\n\n{SERVICE_HEAD}\n",
            self.cpu, self.samples
        );
        for row in &self.services {
            text.push_str(&row.to_text());
            text.push('\n');
        }
        text.extend(["\n", FUNCTION_HEAD, "\n"]);
        for row in &self.functions {
            text.push_str(&row.to_text());
            text.push('\n');
        }
        text
    }
}

pub(super) const SERVICE_HEAD: &str = "  CPU %  PROCS  SERVICE";
pub(super) const FUNCTION_HEAD: &str = " SELF %  TOTAL %  FUNCTION";

impl ServiceRow {
    /// In columns; 100 % is one CPU.
    pub(super) fn to_text(&self) -> String {
        format!("{:7.1}  {:5}  {}", self.cpu * 100.0, self.processes, self.service)
    }
}

impl FunctionRow {
    /// In columns; 100 % is one CPU.
    pub(super) fn to_text(&self) -> String {
        let module = if self.module.is_empty() {
            String::new()
        } else {
            format!("  [{}]", self.module.trim_matches(['[', ']']))
        };
        let (own, total) = (self.self_cpu * 100.0, self.total_cpu * 100.0);
        format!("{own:7.1}  {total:7.1}  {}{module}", self.function)
    }
}

fn services(profile: &Profile, cores: impl Fn(u64) -> f64) -> Vec<ServiceRow> {
    let mut sums: HashMap<&str, (u64, HashSet<&str>)> = HashMap::new();
    for sample in &profile.samples {
        let series = profile.series(sample.series);
        let label = |name| series.and_then(|series| series.get(name)).map_or("", String::as_str);
        let (samples, pids) = sums.entry(label(labels::SERVICE)).or_default();
        *samples = samples.saturating_add(sample.value);
        pids.insert(label(labels::PID));
    }
    let rows = sums.into_iter().map(|(service, (samples, pids))| ServiceRow {
        service: harmless(service),
        cpu: cores(samples),
        samples,
        processes: pids.len() as u64,
    });
    let mut rows: Vec<ServiceRow> = rows.collect();
    rows.sort_by(|a, b| b.samples.cmp(&a.samples).then_with(|| a.service.cmp(&b.service)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use infrared_profile::{Builder, Series};

    fn profile() -> Profile {
        let mut builder = Builder::new(ValueType::cpu_samples(), 2_000_000_000, 10_000_000);
        for (service, pid, samples) in
            [("web", "1", 30), ("web", "2", 20), ("db\u{1b}[2J", "3", 100)]
        {
            let series = Series::from([
                (labels::SERVICE.to_owned(), service.to_owned()),
                (labels::PID.to_owned(), pid.to_owned()),
            ]);
            let (series, leaf) = (builder.series(series), builder.event("work"));
            let stack = builder.stack(&[leaf]);
            builder.add(series, stack, samples);
        }
        builder.finish(1_000_000_000)
    }
    use infrared_profile::ValueType;

    #[test]
    fn services_are_summed_over_processes_and_sorted() {
        let picture = Picture::of(&profile());
        let rows: Vec<_> =
            picture.services.iter().map(|row| (&*row.service, row.cpu, row.processes)).collect();
        assert_eq!(rows, [("db\u{fffd}[2J", 1.0, 1), ("web", 0.5, 2)]);
        assert_eq!((picture.samples, picture.cpu), (150, 1.5));
        assert_eq!((picture.from_ms, picture.to_ms), (2000, 3000));
    }

    #[test]
    fn the_text_has_both_tables() {
        let text = Picture::of(&profile()).first(1).to_text();
        let expected = "1.50 CPUs busy over 1.0 s, 150 samples\n\n  CPU %  PROCS  SERVICE\n\
            \x20 100.0      1  db\u{fffd}[2J\n\n SELF %  TOTAL %  FUNCTION\n\
            \x20 150.0    150.0  work\n";
        assert_eq!(text, expected);
    }
}
