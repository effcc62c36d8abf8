//! Who a process is, as labels of its series. Read while it lives.

use std::collections::BTreeMap;

use infrared_processes::{
    Identity, ProcFs, ProcessDir,
    host::Host,
    service::{Rules, Source},
};
use infrared_profile::labels;

use super::FoundIdentity;
use crate::watch::ProcessIdentity;

/// Names processes by the user's rules and the default ones.
#[derive(Debug)]
pub(crate) struct Identifier(infrared_processes::Identifier);

impl Identifier {
    pub(crate) fn new(host_name: &str, rules: Rules) -> Self {
        let mut host = Host::read();
        host_name.clone_into(&mut host.name);
        Self(infrared_processes::Identifier::new(ProcFs::system(), rules, &host))
    }

    /// The service that an environment declares: entries that end with a NUL each.
    pub(crate) fn declared_service(&self, environment: &[u8]) -> Option<String> {
        self.0.declared_service(environment)
    }

    /// `None` if it is gone.
    pub(super) fn identify(&self, process: &ProcessDir) -> Option<FoundIdentity> {
        let identity = self.0.identify_process(process).ok()?;
        Some(FoundIdentity { labels: labels_of(&identity), is_heritable: is_heritable(&identity) })
    }
}

fn is_heritable(identity: &Identity) -> bool {
    matches!(identity.service.source, Source::Declared | Source::Workload | Source::Unit)
}

fn labels_of(identity: &Identity) -> ProcessIdentity {
    let mut found = BTreeMap::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            found.insert(name.to_owned(), value);
        }
    };
    put(labels::SERVICE, Some(identity.service.name.clone()));
    put(labels::HOST, Some(identity.host.clone()));
    put(labels::PID, Some(identity.pid.0.to_string()));
    put(labels::EXECUTABLE, Some(identity.executable.clone()));
    put(labels::EXECUTABLE_PATH, identity.executable_path.clone());
    put(labels::VERSION, identity.service.version.clone());
    put(labels::SELF, identity.is_self.then(|| "true".to_owned()));
    put(labels::SYSTEMD_UNIT, identity.unit.as_ref().map(|unit| unit.name.clone()));
    if let Some(container) = &identity.container {
        put(labels::CONTAINER_ID, Some(container.id.clone()));
        put(labels::POD_UID, container.pod.as_ref().map(|pod| pod.uid.clone()));
    }
    found
}
