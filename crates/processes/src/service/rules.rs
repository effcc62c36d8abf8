//! Rules of the configuration that name services.
//!
//! ```toml
//! [[service_rules]]
//! match = { exe = "^/opt/([a-z]+)/bin/" }
//! service = "$1-%`DEPLOY_ENV`%"
//! ```

use regex::{Captures, Regex, RegexBuilder};
use serde::Deserialize;

use super::Facts;
use super::template::{Part, Template};
use crate::process::WantedVariables;

/// Bytes that a compiled expression may take.
const LARGEST_EXPRESSION: usize = 1024 * 1024;
/// Bytes of a command line that rules see.
const LONGEST_CMDLINE: usize = 16 * 1024;
const MOST_RULES: usize = 1000;

/// Why a rule cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RuleError {
    #[error("service rule {rule}: the expression for {field} is wrong: {reason}")]
    Expression { rule: usize, field: &'static str, reason: String },
    #[error("service rule {rule}: the service name {name:?} {reason}")]
    Template { rule: usize, name: String, reason: String },
    #[error("service rule {rule}: it matches nothing in particular: give at least one condition")]
    NoCondition { rule: usize },
    #[error("there are {0} service rules, more than {MOST_RULES}")]
    TooMany(usize),
}

/// The conditions of a rule; all that are given must hold. Expressions match anywhere unless they are
/// anchored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// Expression for the path of the executable.
    pub exe: Option<String>,
    /// Expression for the arguments, joined by spaces.
    pub cmdline: Option<String>,
    /// Expression for any of the cgroup paths.
    pub cgroup: Option<String>,
    /// Expression for the name of the main thread.
    pub comm: Option<String>,
    /// Expression for the systemd unit, with its suffix.
    pub unit: Option<String>,
    /// Beginning of the container's id.
    pub container: Option<String>,
}

/// A rule as written in the configuration. Rules are numbered from 1 in messages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    #[serde(rename = "match")]
    pub matches: Match,
    /// The service's name: `$1` and `${name}` are captures, `%NAME%` is a variable of the process'
    /// environment. A number counts within the first expression, in the order above, that captures
    /// anything. A rule whose name has a part without a value does not apply.
    pub service: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Exe,
    Cmdline,
    Cgroup,
    Comm,
    Unit,
}

#[derive(Debug, Clone)]
struct Compiled {
    expressions: Vec<(Field, Regex)>,
    container: Option<String>,
    service: Template,
}

/// Rules that are ready for use; the first that applies counts.
#[derive(Debug, Clone, Default)]
pub struct Rules(Vec<Compiled>);

impl Rules {
    /// Checks and compiles the rules of a configuration.
    pub fn compile(rules: &[Rule]) -> Result<Self, RuleError> {
        if rules.len() > MOST_RULES {
            return Err(RuleError::TooMany(rules.len()));
        }
        let compiled = rules.iter().enumerate().map(|(index, rule)| compile(index + 1, rule));
        Ok(Self(compiled.collect::<Result<_, _>>()?))
    }

    /// The environment variables that the rules and the defaults look at.
    pub fn wanted_variables(&self) -> WantedVariables {
        let named = self.0.iter().flat_map(|rule| rule.service.variables());
        WantedVariables::default().with(named.map(str::to_owned))
    }

    /// The name by the first rule that applies.
    pub(super) fn name(&self, facts: &Facts<'_>) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let process = facts.process;
        let executable = process.executable.as_ref().map(|exe| exe.path.to_string_lossy());
        let mut cmdline = process.cmdline.joined();
        cmdline.truncate(cmdline.floor_char_boundary(LONGEST_CMDLINE));
        let texts = Texts {
            executable: executable.as_deref(),
            cmdline: &cmdline,
            cgroups: process.cgroups.paths(),
            comm: &process.stat.comm,
            unit: facts.unit.map(|unit| unit.name.as_str()),
        };
        self.0.iter().find_map(|rule| rule.name(&texts, facts))
    }
}

struct Texts<'a> {
    executable: Option<&'a str>,
    cmdline: &'a str,
    cgroups: Vec<&'a str>,
    comm: &'a str,
    unit: Option<&'a str>,
}

impl<'a> Texts<'a> {
    fn captures(&self, field: Field, expression: &Regex) -> Option<Captures<'a>> {
        match field {
            Field::Exe => expression.captures(self.executable?),
            Field::Cmdline => expression.captures(self.cmdline),
            Field::Cgroup => self.cgroups.iter().find_map(|path| expression.captures(path)),
            Field::Comm => expression.captures(self.comm),
            Field::Unit => expression.captures(self.unit?),
        }
    }
}

impl Compiled {
    fn name(&self, texts: &Texts<'_>, facts: &Facts<'_>) -> Option<String> {
        if let Some(prefix) = &self.container
            && !facts.container?.id.starts_with(prefix)
        {
            return None;
        }
        let mut all = Vec::with_capacity(self.expressions.len());
        for (field, expression) in &self.expressions {
            all.push(texts.captures(*field, expression)?);
        }
        self.service.expand(|part| match part {
            Part::Text(_) => None,
            Part::Variable(name) => facts.process.environment.get(name),
            Part::Capture(name) => match name.parse::<usize>() {
                Ok(number) => {
                    let numbered = all.iter().find(|captures| captures.len() > 1 || number == 0)?;
                    numbered.get(number).map(|found| found.as_str())
                }
                Err(_) => {
                    all.iter().find_map(|captures| captures.name(name).map(|found| found.as_str()))
                }
            },
        })
    }

    /// Whether some expression has the capture `name`.
    fn has_capture(&self, name: &str) -> bool {
        match name.parse::<usize>() {
            Ok(0) => !self.expressions.is_empty(),
            Ok(number) => self
                .expressions
                .iter()
                .find(|(_, expression)| expression.captures_len() > 1)
                .is_some_and(|(_, expression)| number < expression.captures_len()),
            Err(_) => self
                .expressions
                .iter()
                .any(|(_, expression)| expression.capture_names().flatten().any(|own| own == name)),
        }
    }
}

fn compile(number: usize, rule: &Rule) -> Result<Compiled, RuleError> {
    let matches = &rule.matches;
    let fields = [
        (Field::Exe, "exe", &matches.exe),
        (Field::Cmdline, "cmdline", &matches.cmdline),
        (Field::Cgroup, "cgroup", &matches.cgroup),
        (Field::Comm, "comm", &matches.comm),
        (Field::Unit, "unit", &matches.unit),
    ];
    let mut expressions = Vec::new();
    for (field, name, source) in fields {
        let Some(source) = source else { continue };
        let expression = RegexBuilder::new(source).size_limit(LARGEST_EXPRESSION).build();
        let expression = expression.map_err(|error| RuleError::Expression {
            rule: number,
            field: name,
            reason: error.to_string(),
        })?;
        expressions.push((field, expression));
    }
    let container = matches.container.clone().filter(|prefix| !prefix.is_empty());
    if expressions.is_empty() && container.is_none() {
        return Err(RuleError::NoCondition { rule: number });
    }
    let wrong =
        |reason: String| RuleError::Template { rule: number, name: rule.service.clone(), reason };
    let service = Template::parse(&rule.service).map_err(|reason| wrong(reason.to_owned()))?;
    let compiled = Compiled { expressions, container, service };
    let unknown = compiled.service.captures().find(|name| !compiled.has_capture(name));
    match unknown {
        Some(name) => Err(wrong(format!("refers to {name:?}, which no expression captures"))),
        None => Ok(compiled),
    }
}
