//! Who a sampled process is, as labels of its series. Read while it lives; a process that is gone is named after what
//! events told of it.

use std::{collections::BTreeMap, sync::Arc};

use infrared_bpf::Exec;
use infrared_bpf::abi::{IR_SAMPLE_KERNEL_THREAD, ir_sample};
use infrared_processes::{Identity, Pid, ProcFs, host::Host, service::Source};
use infrared_profile::labels;

use crate::{
    config::AgentConfig,
    watch::{Generation, ProcessIdentity, ProcessTable, WatchedProcess},
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
        let identifier =
            infrared_processes::Identifier::new(ProcFs::system(), config.services, &host);
        Self { identifier, host_name }
    }

    /// Makes sure that the address space `generation` of the sampled process has an identity.
    pub(crate) fn identify(&self, table: &mut ProcessTable, sample: &ir_sample, generation: usize) {
        let Some(process) = table.get(sample.pid) else { return };
        if process.generations.get(generation).is_none_or(|g| g.identity.is_some()) {
            return;
        }
        let is_current = generation + 1 == process.generations.len() && process.exited_ns.is_none();
        let parent = process.parent;
        let read = if is_current { self.identifier.identify(Pid(sample.pid)).ok() } else { None };
        let (identity, is_heritable) = if let Some(identity) = read {
            (labels_of(&identity), is_heritable(&identity))
        } else {
            self.identify_parent(table, parent);
            let of_parent = table.get(parent).map(WatchedProcess::current);
            let own = table.get(sample.pid).and_then(|p| p.generations.get(generation));
            let executable = own.and_then(|own| own.executable.as_deref());
            let mut identity = self.of_gone(executable, of_parent, sample);
            let declared = own.and_then(|own| own.declared_service.as_deref());
            if let Some(service) = declared {
                identity.insert(labels::SERVICE.to_owned(), service.to_owned());
            }
            let is_heritable = of_parent.is_some_and(|parent| parent.is_heritable);
            (identity, is_heritable || declared.is_some())
        };
        if let Some(found) =
            table.get_mut(sample.pid).and_then(|process| process.generations.get_mut(generation))
        {
            found.identity = Some(Arc::new(identity));
            found.is_heritable = is_heritable;
        }
    }

    /// Keeps what the environment of a process declares, should the process be gone when its first sample is seen.
    pub(crate) fn declare(&self, table: &mut ProcessTable, exec: &Exec) {
        let process = table.entry(exec.pid);
        let generation = process.generation_at(exec.time_ns);
        if let (Some(found), Some(service)) = (
            process.generations.get_mut(generation),
            self.identifier.declared_service(&exec.environment),
        ) {
            found.declared_service = Some(service.into());
        }
    }

    /// The parent of a process that is gone mostly lives on, and may never have been sampled itself.
    fn identify_parent(&self, table: &mut ProcessTable, parent: u32) {
        if parent == 0
            || table.get(parent).is_some_and(|parent| parent.current().identity.is_some())
        {
            return;
        }
        if let Ok(identity) = self.identifier.identify(Pid(parent)) {
            let found = table.entry(parent).current_mut();
            found.is_heritable = is_heritable(&identity);
            found.identity = Some(Arc::new(labels_of(&identity)));
        }
    }

    /// A child is in its parent's cgroup and has its environment. Without an exec it is what its parent is; after one
    /// it is called by its executable, unless the parent's name is heritable.
    fn of_gone(
        &self,
        executable: Option<&[u8]>,
        parent: Option<&Generation>,
        sample: &ir_sample,
    ) -> ProcessIdentity {
        let mut identity = ProcessIdentity::new();
        identity.insert(labels::HOST.to_owned(), self.host_name.clone());
        identity.insert(labels::PID.to_owned(), sample.pid.to_string());
        if sample.flags & IR_SAMPLE_KERNEL_THREAD != 0 {
            identity.insert(labels::SERVICE.to_owned(), "kernel".to_owned());
            return identity;
        }
        if let Some((labels, parent)) =
            parent.and_then(|parent| Some((parent.identity.as_ref()?, parent)))
        {
            for (name, value) in labels.iter() {
                let is_own = [labels::EXECUTABLE, labels::EXECUTABLE_PATH, labels::VERSION]
                    .contains(&name.as_str());
                let is_lost = name == labels::SERVICE && !parent.is_heritable;
                if executable.is_none() || !(is_own || is_lost) {
                    identity.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        if let Some(path) = executable.map(String::from_utf8_lossy) {
            let base = path.rsplit('/').next().unwrap_or_default().to_owned();
            identity.insert(labels::EXECUTABLE.to_owned(), base.clone());
            identity.insert(labels::EXECUTABLE_PATH.to_owned(), path.into_owned());
            identity.entry(labels::SERVICE.to_owned()).or_insert(base);
        }
        let comm = || crate::naming::thread_name(&sample.comm.map(|byte| byte as u8));
        identity.entry(labels::SERVICE.to_owned()).or_insert_with(comm);
        identity
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

#[cfg(test)]
mod tests {
    use infrared_bpf::{SidebandEvent, SidebandRecord};

    use super::*;

    /// Beyond what a pid can be (`PID_MAX_LIMIT`, include/linux/threads.h), and so gone.
    const GONE: u32 = 1 << 22;

    fn service_of_gone(declared: Option<&[u8]>) -> String {
        let identifier = Identifier::new(AgentConfig::default());
        let mut table = ProcessTable::default();
        let path = b"/usr/bin/brief".to_vec();
        let exec = SidebandEvent::Comm { pid: GONE, tid: GONE, comm: "brief".into(), exec: true };
        let map = SidebandEvent::Mmap {
            pid: GONE,
            start: 0x1000,
            length: 0x1000,
            file_offset: 0,
            device: (8, 1),
            inode: 5,
            path,
        };
        for event in [exec, map] {
            table.apply(SidebandRecord { time_ns: 10, event });
        }
        if let Some(environment) = declared {
            let environment = environment.to_vec();
            identifier.declare(&mut table, &Exec { pid: GONE, time_ns: 11, environment });
        }
        let sample = ir_sample { pid: GONE, time_ns: 12, ..ir_sample::default() };
        let generation = table.entry(GONE).generation_at(12);
        identifier.identify(&mut table, &sample, generation);
        table.get(GONE).unwrap().current().identity.as_ref().unwrap()[labels::SERVICE].clone()
    }

    #[test]
    fn a_process_that_is_gone_has_the_service_that_its_environment_declared() {
        assert_eq!(service_of_gone(Some(b"A=b\0OTEL_SERVICE_NAME=shop\0")), "shop");
        assert_eq!(service_of_gone(Some(b"A=b\0")), "brief");
        assert_eq!(service_of_gone(None), "brief");
    }
}
