//! Who a sampled process is, as labels of its series.

use std::{collections::BTreeMap, sync::Arc};

use infrared_bpf::abi::{IR_SAMPLE_KERNEL_THREAD, ir_sample};
use infrared_processes::{Pid, ProcFs};
use infrared_profile::labels;

use crate::{
    config::AgentConfig,
    watch::{ProcessIdentity, ProcessTable},
};

/// Names processes; knows the user's rules.
#[derive(Debug)]
pub(crate) struct Identifier {
    host_name: Option<String>,
    own_pid: u32,
}

impl Identifier {
    pub(crate) fn new(config: &AgentConfig) -> Self {
        Self { host_name: config.host_name.clone(), own_pid: std::process::id() }
    }

    /// Makes sure that the address space `generation` of the sampled process has an identity.
    pub(crate) fn identify(&self, table: &mut ProcessTable, procfs: &ProcFs, sample: &ir_sample, generation: usize) {
        let Some(process) = table.get(sample.pid) else { return };
        if process.generations.get(generation).is_none_or(|g| g.identity.is_some()) {
            return;
        }
        let comm = crate::naming::thread_name(&sample.comm.map(|byte| byte as u8));
        let mut identity: ProcessIdentity = BTreeMap::new();
        let service = if sample.flags & IR_SAMPLE_KERNEL_THREAD != 0 { "kernel".to_owned() } else { comm };
        let _ = procfs.process(Pid(sample.pid));
        identity.insert(labels::SERVICE.to_owned(), service);
        identity.insert(labels::PID.to_owned(), sample.pid.to_string());
        if let Some(host) = &self.host_name {
            identity.insert(labels::HOST.to_owned(), host.clone());
        }
        if sample.pid == self.own_pid {
            identity.insert(labels::SELF.to_owned(), "true".to_owned());
        }
        if let Some(found) = table.get_mut(sample.pid).and_then(|process| process.generations.get_mut(generation)) {
            found.identity = Some(Arc::new(identity));
        }
    }
}
