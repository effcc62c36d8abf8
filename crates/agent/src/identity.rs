//! Who a sampled process is, as labels of its series. Read while it lives; a process that is gone is named after what
//! events told of it.

use std::{collections::BTreeMap, sync::Arc};

use infrared_bpf::abi::{IR_SAMPLE_KERNEL_THREAD, ir_sample};
use infrared_processes::{Identity, Pid, ProcFs, host::Host};
use infrared_profile::labels;

use crate::{
    config::AgentConfig,
    watch::{ProcessIdentity, ProcessTable, WatchedProcess},
};

/// Names processes by the user's rules and the default ones.
#[derive(Debug)]
pub(crate) struct Identifier {
    identifier: infrared_processes::Identifier,
    host_name: String,
}

impl Identifier {
    pub(crate) fn new(config: AgentConfig) -> Self {
        let mut host = Host::read();
        if let Some(name) = config.host_name {
            host.name = name;
        }
        let host_name = host.name.clone();
        let identifier = infrared_processes::Identifier::new(ProcFs::system(), config.services, &host);
        Self { identifier, host_name }
    }

    /// Makes sure that the address space `generation` of the sampled process has an identity.
    pub(crate) fn identify(&self, table: &mut ProcessTable, sample: &ir_sample, generation: usize) {
        let Some(process) = table.get(sample.pid) else { return };
        if process.generations.get(generation).is_none_or(|g| g.identity.is_some()) {
            return;
        }
        let is_current = generation + 1 == process.generations.len() && process.exited_ns.is_none();
        let read = if is_current { self.identifier.identify(Pid(sample.pid)).ok() } else { None };
        let identity = match read {
            Some(identity) => labels_of(&identity),
            None => self.of_gone(table, process, sample, generation),
        };
        if let Some(found) = table.get_mut(sample.pid).and_then(|process| process.generations.get_mut(generation)) {
            found.identity = Some(Arc::new(identity));
        }
    }

    /// A forked child is what its parent is. After an exec there is the executable's path, and else the name of the
    /// thread that was sampled.
    fn of_gone(
        &self,
        table: &ProcessTable,
        process: &WatchedProcess,
        sample: &ir_sample,
        generation: usize,
    ) -> ProcessIdentity {
        let (pid, host) = (sample.pid.to_string(), self.host_name.clone());
        let executable = process.generations.get(generation).and_then(|g| g.executable.as_deref());
        let parent = table.get(process.parent).and_then(|parent| parent.current().identity.as_ref());
        let mut identity = match (executable, parent) {
            (None, Some(parent)) if sample.flags & IR_SAMPLE_KERNEL_THREAD == 0 => (**parent).clone(),
            _ => BTreeMap::new(),
        };
        identity.insert(labels::PID.to_owned(), pid);
        identity.insert(labels::HOST.to_owned(), host);
        if !identity.contains_key(labels::SERVICE) {
            let name = match executable.map(String::from_utf8_lossy) {
                _ if sample.flags & IR_SAMPLE_KERNEL_THREAD != 0 => "kernel".to_owned(),
                Some(path) => {
                    let base = path.rsplit('/').next().unwrap_or_default().to_owned();
                    identity.insert(labels::EXECUTABLE.to_owned(), base.clone());
                    identity.insert(labels::EXECUTABLE_PATH.to_owned(), path.into_owned());
                    base
                }
                None => crate::naming::thread_name(&sample.comm.map(|byte| byte as u8)),
            };
            identity.insert(labels::SERVICE.to_owned(), name);
        }
        identity
    }
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
