//! What a person would call the service that a process belongs to.
//!
//! The first rule that has an answer counts: the configuration's own rules, what the service says of
//! itself, its workload, its systemd unit, the script or archive that an interpreter runs, the
//! executable. `docs/service-identity.md` describes them for users. This is a pure decision over
//! what was read; nothing here does I/O.

mod arguments;
mod beam;
pub(crate) mod declared;
mod dotnet;
mod interpreters;
mod jar;
mod java;
mod javascript;
mod program;
mod python;
mod rules;
mod script;
mod template;
mod title;
mod workload;
mod wrapper;

use serde::Serialize;

pub use program::{Invocation, Program, program_of};
pub use rules::{Match, Rule, RuleError, Rules};

use crate::Process;
use crate::container::Container;
use crate::systemd::Unit;

/// Longest name of a service, in characters.
const LONGEST_NAME: usize = 128;

/// Which rule named a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A rule of the configuration.
    Rule,
    /// The service itself, by environment or argument (`OTEL_SERVICE_NAME`, `DD_SERVICE`, …).
    Declared,
    /// The workload of the container or pod.
    Workload,
    /// The systemd unit.
    Unit,
    /// The script, module or archive that an interpreter runs.
    Script,
    /// The executable.
    Executable,
    /// A kernel thread.
    Kernel,
}

/// A service, and how it got its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    pub name: String,
    pub source: Source,
    /// If the service tells it.
    pub version: Option<String>,
}

/// What is known of a process when its service is named.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub process: &'a Process,
    pub container: Option<&'a Container>,
    pub unit: Option<&'a Unit>,
    /// Name of the machine: a pod on the machine's network has no name of its own.
    pub host_name: &'a str,
    /// Of a process without `HOSTNAME`: `/etc/hostname` in its root, if it is in a container.
    pub container_host_name: Option<&'a str>,
    pub program: &'a Program,
}

/// Names the service of a process.
pub fn decide(facts: &Facts<'_>, rules: &Rules) -> Service {
    let declared = declared::of(&facts.process.environment, &facts.process.cmdline.arguments);
    let version = declared.version.clone().or_else(|| facts.program.version.clone());
    let candidates = [
        (Source::Rule, rules.name(facts)),
        (Source::Declared, declared.name),
        (Source::Kernel, facts.process.is_kernel_thread().then(|| "kernel".to_owned())),
        (Source::Workload, workload::of(facts)),
        (Source::Unit, facts.unit.and_then(Unit::service_name).map(str::to_owned)),
        (Source::Workload, workload::machine_of(facts)),
        (facts.program.source, Some(facts.program.name.clone())),
        (Source::Executable, Some(facts.process.stat.comm.clone())),
    ];
    let named =
        candidates.into_iter().find_map(|(source, name)| Some((source, clean(name.as_deref()?)?)));
    let (source, name) = named.unwrap_or_else(|| (Source::Executable, "unnamed".to_owned()));
    Service { name, source, version: version.as_deref().and_then(clean) }
}

/// A name fit to show: one line, no control characters, not endless. `None` if nothing is left.
pub(crate) fn clean(name: &str) -> Option<String> {
    let plain: String = name
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    let cut: String = plain.trim().chars().take(LONGEST_NAME).collect();
    let cut = cut.trim_end();
    (!cut.is_empty()).then(|| cut.to_owned())
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
