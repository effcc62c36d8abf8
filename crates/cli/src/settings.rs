//! `infrared.toml`: the settings of what runs for long.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use infrared_agent::AgentConfig;
use infrared_processes::service::{Rule, Rules};
use serde::{Deserialize, Deserializer, de};

use crate::args::{FREQUENCIES, duration};

/// A configuration file of more bytes is none.
const LARGEST_FILE: u64 = 16 << 20;
/// Sizes that a budget may have, in MiB.
const BUDGETS_MIB: std::ops::RangeInclusive<u64> = 1..=65_536;

/// All settings; what the file leaves out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) otlp_grpc: SocketAddr,
    pub(crate) otlp_http: SocketAddr,
    pub(crate) data: PathBuf,
    #[serde(deserialize_with = "duration_text")]
    pub(crate) retention: Duration,
    pub(crate) frequency: u32,
    pub(crate) exclude_self: bool,
    pub(crate) host: Option<String>,
    pub(crate) budgets: Budgets,
    pub(crate) service_rules: Vec<Rule>,
}

/// Bounds of memory, in MiB.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Budgets {
    pub(crate) unwind_tables_mib: u64,
    pub(crate) symbols_mib: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let agent = AgentConfig::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4747)),
            otlp_grpc: SocketAddr::from(([127, 0, 0, 1], 4317)),
            otlp_http: SocketAddr::from(([127, 0, 0, 1], 4318)),
            data: state_directory(),
            retention: Duration::from_hours(7 * 24),
            frequency: agent.frequency_hz,
            exclude_self: agent.exclude_self,
            host: None,
            budgets: Budgets::default(),
            service_rules: Vec::new(),
        }
    }
}

impl Default for Budgets {
    fn default() -> Self {
        let agent = AgentConfig::default();
        Self {
            unwind_tables_mib: agent.table_budget_bytes as u64 >> 20,
            symbols_mib: agent.symbol_budget_bytes as u64 >> 20,
        }
    }
}

impl Settings {
    /// The settings of `file`, or the defaults.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        Self::read(file).with_context(|| format!("the configuration {}", file.display()))
    }

    fn read(file: &Path) -> Result<Self> {
        if fs::metadata(file)?.len() > LARGEST_FILE {
            bail!("it has more than {LARGEST_FILE} bytes");
        }
        Self::parse(&fs::read_to_string(file)?)
    }

    fn parse(text: &str) -> Result<Self> {
        let settings: Self = toml::from_str(text)?;
        if !FREQUENCIES.contains(&i64::from(settings.frequency)) {
            bail!("frequency must be 1 to 10000, not {}", settings.frequency);
        }
        let Budgets { unwind_tables_mib, symbols_mib } = settings.budgets;
        for (name, mib) in [("unwind_tables_mib", unwind_tables_mib), ("symbols_mib", symbols_mib)]
        {
            if !BUDGETS_MIB.contains(&mib) {
                bail!("budgets.{name} must be 1 to {}, not {mib}", BUDGETS_MIB.end());
            }
        }
        Rules::compile(&settings.service_rules)?;
        Ok(settings)
    }

    /// The agent's part.
    pub(crate) fn agent(&self) -> Result<AgentConfig> {
        Ok(AgentConfig {
            frequency_hz: self.frequency,
            exclude_self: self.exclude_self,
            table_budget_bytes: (self.budgets.unwind_tables_mib << 20) as usize,
            symbol_budget_bytes: (self.budgets.symbols_mib << 20) as usize,
            services: Rules::compile(&self.service_rules)?,
            host_name: self.host.clone(),
            ..AgentConfig::default()
        })
    }

    /// The settings as a file with comments, which reads back as the same settings.
    pub(crate) fn to_toml(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let host = match &self.host {
            Some(host) => format!("host = {}", quoted(host)),
            None => "# host = \"name\"".into(),
        };
        format!(
            "# Address of the page and the API. There is no log-in: whoever reaches it sees everything.\n\
             listen = \"{}\"\n\
             # Addresses for profiles from others: OTLP over gRPC and over HTTP.\n\
             otlp_grpc = \"{}\"\notlp_http = \"{}\"\n\
             # Where profiles are kept, and for how long.\n\
             data = {}\nretention = \"{}\"\n\
             # Samples a second of CPU time, 1 to 10000.\n\
             frequency = {}\n\
             # Leave out what infrared itself burns.\n\
             exclude_self = {}\n\
             # Shown as the host; the node's name if absent.\n\
             {host}\n\n\
             [budgets]\n\
             # Unwind tables in the kernel, and caches of symbols.\n\
             unwind_tables_mib = {}\nsymbols_mib = {}\n{}",
            self.listen,
            self.otlp_grpc,
            self.otlp_http,
            quoted(&self.data.to_string_lossy()),
            humantime::format_duration(self.retention),
            self.frequency,
            self.exclude_self,
            self.budgets.unwind_tables_mib,
            self.budgets.symbols_mib,
            self.rules_toml(),
        )
    }

    fn rules_toml(&self) -> String {
        if self.service_rules.is_empty() {
            return RULES_EXAMPLE.to_owned();
        }
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut text = String::new();
        for rule in &self.service_rules {
            let conditions = &rule.matches;
            let conditions = [
                ("exe", &conditions.exe),
                ("cmdline", &conditions.cmdline),
                ("cgroup", &conditions.cgroup),
                ("comm", &conditions.comm),
                ("unit", &conditions.unit),
                ("container", &conditions.container),
            ];
            let given = conditions.iter().filter_map(|(name, value)| {
                value.as_ref().map(|value| format!("{name} = {}", quoted(value)))
            });
            let given = given.collect::<Vec<_>>().join(", ");
            let service = quoted(&rule.service);
            text.extend([format!(
                "\n[[service_rules]]\nmatch = {{ {given} }}\nservice = {service}\n"
            )]);
        }
        text
    }
}

const RULES_EXAMPLE: &str = "
# Names of services; the first rule whose conditions all hold counts.
# Conditions: exe, cmdline, cgroup, comm, unit (regular expressions), container (start of its id).
# [[service_rules]]
# match = { exe = \"^/opt/([a-z]+)/bin/\" }
# service = \"$1\"
";

/// Where state of long life is kept: of the machine for root, else of the user.
pub(crate) fn state_directory() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return "/var/lib/infrared".into();
    }
    let state = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty());
    let home = || Some(Path::new(&std::env::var_os("HOME")?).join(".local/state"));
    let state = state.map(PathBuf::from).or_else(home);
    state.map_or_else(|| "infrared-data".into(), |state| state.join("infrared"))
}

fn duration_text<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    duration(&text).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_settings_read_back() {
        let rule =
            "[[service_rules]]\nmatch = { exe = '^/opt/([a-z]+)/', unit = 'x\"y' }\nservice = '$1'";
        for text in ["", "frequency = 499\nhost = \"a\\\"b\"", rule] {
            let settings = Settings::parse(text).unwrap();
            assert_eq!(Settings::parse(&settings.to_toml()).unwrap(), settings, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, reason) in [
            ("frequency = 0", "1 to 10000"),
            ("frequencyy = 9", "frequencyy"),
            ("retention = \"7\"", "the unit is missing"),
            ("listen = \"nowhere\"", "listen"),
            ("[budgets]\nsymbols_mib = 0", "budgets.symbols_mib"),
            ("[budgets]\nsymbols = 1", "symbols"),
            ("[[service_rules]]\nmatch = { exe = '(' }\nservice = 'x'", "service rule 1"),
            ("[[service_rules]]\nservice = 'x'", "match"),
        ] {
            let error = format!("{:#}", Settings::parse(text).unwrap_err());
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Settings::load(Some(Path::new("/no/such.toml"))).unwrap_err();
        assert_eq!(error.to_string(), "the configuration /no/such.toml");
    }
}
