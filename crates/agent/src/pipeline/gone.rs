//! Who a process was that is gone before it could be asked: named after what events told of it, and after its parent.

use std::sync::Arc;

use infrared_bpf::Exec;
use infrared_profile::labels;

use super::Pipeline;
use crate::{
    naming::thread_name,
    watch::{Asked, Origin, ProcessIdentity, Space, SpaceId},
    window::Seen,
};

impl Pipeline {
    /// Keeps what the environment of a process declares, should the process be gone when its first sample is seen.
    pub(super) fn declare(&mut self, exec: &Exec) {
        if let Some(service) = (self.config.declared_service)(&exec.environment) {
            let space = self.table.entry(exec.pid).space_at_mut(exec.time_ns);
            space.declared_service = Some(service.into());
        }
    }

    /// Whom the samples of an address space belong to: as it was read, or else by what is known of it.
    pub(super) fn identity_of(
        &mut self,
        pid: u32,
        id: SpaceId,
        seen: &Seen,
    ) -> Arc<ProcessIdentity> {
        let Some(space) = self.table.space(pid, id) else {
            return Arc::new(self.of_unknown(pid, seen));
        };
        if let Some(identity) = &space.identity {
            return Arc::clone(identity);
        }
        let parent = self.parent_of(pid, id).map(|(_, parent)| parent);
        let identity = Arc::new(self.of_gone(pid, space, parent, seen));
        let is_heritable =
            parent.is_some_and(|parent| parent.is_heritable) || space.declared_service.is_some();
        if space.asked == Asked::Gone
            && let Some(process) = self.table.of_space(pid, id)
            && let Some(space) = process.space_mut(id)
        {
            space.identity = Some(Arc::clone(&identity));
            space.is_heritable = is_heritable;
        }
        identity
    }

    /// The parent's address space when it forked this process.
    fn parent_of(&self, pid: u32, id: SpaceId) -> Option<(u32, &Space)> {
        let process = self.table.with_space(pid, id)?;
        let parent = self.table.get(process.parent).filter(|_| process.parent != 0)?;
        Some((process.parent, parent.space_at(process.born_ns)))
    }

    /// The parent of a process that is gone mostly lives on, and may never have been sampled itself: it is asked.
    pub(super) fn ask_parent(&mut self, pid: u32, id: SpaceId, now_ns: u64) {
        if let Some((parent, space)) = self.parent_of(pid, id)
            && space.identity.is_none()
        {
            let space = space.id;
            self.ask_for(parent, space, false, now_ns);
        }
    }

    /// Whether something is being read that tells whom the samples of an address space belong to.
    pub(super) fn awaits_identity(&self, pid: u32, id: SpaceId) -> bool {
        let waits =
            |space: &Space| space.identity.is_none() && matches!(space.asked, Asked::Waits(_));
        let Some(space) = self.table.space(pid, id).filter(|space| space.identity.is_none()) else {
            return false;
        };
        waits(space) || self.parent_of(pid, id).is_some_and(|(_, parent)| waits(parent))
    }

    fn of_unknown(&self, pid: u32, seen: &Seen) -> ProcessIdentity {
        let mut identity = ProcessIdentity::new();
        identity.insert(labels::HOST.to_owned(), self.config.host_name.clone());
        identity.insert(labels::PID.to_owned(), pid.to_string());
        let service =
            if seen.is_kernel_thread { "kernel".to_owned() } else { thread_name(&seen.thread) };
        identity.insert(labels::SERVICE.to_owned(), service);
        identity
    }

    /// A child is in its parent's cgroup and has its environment. Without an exec it is what its parent is; after one
    /// it is called by its executable, unless the parent's name is heritable. Where events were lost there may have been one.
    pub(super) fn of_gone(
        &self,
        pid: u32,
        space: &Space,
        parent: Option<&Space>,
        seen: &Seen,
    ) -> ProcessIdentity {
        let mut identity = self.of_unknown(pid, seen);
        if seen.is_kernel_thread {
            return identity;
        }
        let is_copy = matches!(space.origin, Origin::ForkOf(_));
        let by_thread = identity.remove(labels::SERVICE);
        if let Some((labels, parent)) =
            parent.and_then(|parent| Some((parent.identity.as_ref()?, parent)))
        {
            for (name, value) in labels.iter() {
                let is_own = [labels::EXECUTABLE, labels::EXECUTABLE_PATH, labels::VERSION]
                    .contains(&name.as_str());
                let is_lost = name == labels::SERVICE && !parent.is_heritable;
                if is_copy || !(is_own || is_lost) {
                    identity.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        if let Some(path) = space.executable.as_deref().map(String::from_utf8_lossy)
            && !is_copy
        {
            let base = path.rsplit('/').next().unwrap_or_default().to_owned();
            identity.insert(labels::EXECUTABLE.to_owned(), base.clone());
            identity.insert(labels::EXECUTABLE_PATH.to_owned(), path.into_owned());
            identity.entry(labels::SERVICE.to_owned()).or_insert(base);
        }
        if let Some(service) = &space.declared_service {
            identity.insert(labels::SERVICE.to_owned(), service.to_string());
        }
        identity.entry(labels::SERVICE.to_owned()).or_insert(by_thread.unwrap_or_default());
        identity
    }
}
