//! `/proc/PID/environ`: the few variables that name a service.
//!
//! An environment is full of secrets. It is read entry by entry, and what nobody asked for is not
//! stored. It is the environment at exec(2), not what the process made of it since.

use std::collections::BTreeSet;

use crate::records::Records;
use crate::{Error, ProcessDir};

/// The kernel allows some 6 MiB of arguments and environment.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
const LONGEST_ENTRY: usize = 16 * 1024;

/// What the default rules of [`crate::service`] look at.
const OF_DEFAULT_RULES: &[&str] = &[
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "DD_SERVICE",
    "DD_VERSION",
    // a pod's host name is the pod's name
    "HOSTNAME",
    "KUBERNETES_SERVICE_HOST",
    // pm2's name of the application
    "pm_id",
    "name",
];

/// The names of the variables to keep.
#[derive(Debug, Clone)]
pub struct WantedVariables(BTreeSet<String>);

impl Default for WantedVariables {
    fn default() -> Self {
        Self(OF_DEFAULT_RULES.iter().map(|&name| name.to_owned()).collect())
    }
}

impl WantedVariables {
    /// Also those in `names`.
    #[must_use]
    pub fn with(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.0.extend(names);
        self
    }
}

/// The variables that were asked for and are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: Vec<(String, String)>,
}

impl Environment {
    /// From pairs of name and value.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables =
            pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { variables }
    }

    /// The variables in `wanted`, from entries that end with a NUL each. What is behind the last NUL may be cut, and is
    /// passed over.
    pub fn parse(entries: &[u8], wanted: &WantedVariables) -> Self {
        let mut environment = Self::default();
        let whole =
            entries.iter().rposition(|&byte| byte == 0).map_or(&[][..], |end| &entries[..end]);
        for entry in whole.split(|&byte| byte == 0) {
            environment.add(entry, wanted);
        }
        environment
    }

    /// The value of a variable; the first counts, as for getenv(3). An empty one is as good as none.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.variables.iter().find(|(candidate, _)| candidate == name)?;
        (!value.is_empty()).then_some(value)
    }

    fn add(&mut self, entry: &[u8], wanted: &WantedVariables) {
        let Some(at) = entry.iter().position(|&byte| byte == b'=') else { return };
        let Ok(name) = std::str::from_utf8(&entry[..at]) else { return };
        if wanted.0.contains(name) && self.get(name).is_none() {
            let value = String::from_utf8_lossy(&entry[at + 1..]).into_owned();
            self.variables.push((name.to_owned(), value));
        }
    }
}

impl ProcessDir {
    /// The variables in `wanted`. Needs the right to trace the process; empty for kernel threads.
    pub fn environment(&self, wanted: &WantedVariables) -> Result<Environment, Error> {
        let file = match self.open("environ") {
            // What has no memory has an empty one before Linux 6.15, and then ESRCH, as what has ended.
            Err(error) if error.is_gone() && self.stat()?.is_kernel_thread() => {
                return Ok(Environment::default());
            }
            opened => opened?,
        };
        let content = std::io::Read::take(file, MOST_BYTES);
        let mut entries = Records::new(content, 0, LONGEST_ENTRY);
        let mut environment = Environment::default();
        while let Some(entry) = entries.next().map_err(|error| self.failed("environ", error))? {
            if !entry.is_cut {
                environment.add(entry.bytes, wanted);
            }
        }
        Ok(environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pid, ProcFs};
    use std::process::{Command, Stdio};

    #[test]
    fn only_what_was_asked_for_is_kept_of_a_real_environment() {
        let mut child = Command::new("cat")
            .env_clear()
            .env("SECRET", "hunter2")
            .env("HUGE", "x".repeat(100_000))
            .env("DD_SERVICE", "shop=1")
            .env("EMPTY", "")
            .env("TIER", "gold")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let process = ProcFs::system().process(Pid(child.id())).unwrap();
        let wanted = WantedVariables::default().with(["TIER", "EMPTY", "HUGE"].map(str::to_owned));
        let environment = process.environment(&wanted).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();

        assert_eq!(environment.get("DD_SERVICE"), Some("shop=1"));
        assert_eq!(environment.get("TIER"), Some("gold"));
        assert_eq!(environment.get("EMPTY"), None);
        assert_eq!(environment.get("HUGE"), None);
        assert!(!format!("{environment:?}").contains("hunter2"));
    }

    #[test]
    fn a_cut_entry_is_passed_over() {
        let parse =
            |entries: &str| Environment::parse(entries.as_bytes(), &WantedVariables::default());
        let shop = Environment::from_pairs([("DD_SERVICE", "shop")]);
        assert_eq!(parse("A=b\0DD_SERVICE=shop\0"), shop);
        assert_eq!(parse("DD_SERVICE=shop\0DD_VERSION=1"), shop);
        assert_eq!(parse("DD_SERVICE=sho"), Environment::default());
        assert_eq!(parse(""), Environment::default());
    }

    #[test]
    fn entries_that_are_no_variables_are_passed_over() {
        let mut environment = Environment::default();
        for entry in [&b"DD_SERVICE"[..], b"\xff=x", b"=", b"DD_SERVICE=a", b"DD_SERVICE=b"] {
            environment.add(entry, &WantedVariables::default());
        }
        assert_eq!(environment, Environment::from_pairs([("DD_SERVICE", "a")]));
    }
}
