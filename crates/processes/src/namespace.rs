//! The namespaces of a process (namespaces(7)): who sees the same files, pids and network.

use serde::Serialize;

use crate::{Error, ProcessDir};

/// Inode numbers of the namespaces: equal numbers mean the same namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Namespaces {
    pub mount: u64,
    pub pid: u64,
    pub network: u64,
    pub user: u64,
}

/// The inode of the initial pid namespace (`PROC_PID_INIT_INO`, `include/linux/proc_ns.h`).
const INITIAL_PIDS: u64 = 0xefff_fffc;

/// Whose processes `/proc` shows us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PidView {
    /// All of the machine, under the numbers that the kernel has for them.
    Machine,
    /// Those of a pid namespace within it, as in a container: the kernel tells of processes by other numbers.
    Namespace,
    /// `/proc` is that of another pid namespace than ours, or of none.
    Foreign,
}

impl PidView {
    /// Of this process.
    pub fn of_self() -> Self {
        let own = std::fs::read_link("/proc/self").ok().and_then(|pid| pid.to_str()?.parse().ok());
        let pids = std::fs::read_link("/proc/self/ns/pid").ok();
        Self::decide(own, std::process::id(), pids.and_then(|link| parse(&link.to_string_lossy())))
    }

    /// By our pid as `/proc` shows it and as the system call tells it, and by the inode of our namespace.
    fn decide(shown: Option<u32>, pid: u32, namespace: Option<u64>) -> Self {
        match (shown, namespace) {
            (Some(shown), _) if shown != pid => Self::Foreign,
            (None, _) => Self::Foreign,
            // It does not tell: as it was before there were such links.
            (Some(_), None | Some(INITIAL_PIDS)) => Self::Machine,
            (Some(_), Some(_)) => Self::Namespace,
        }
    }
}

impl ProcessDir {
    /// The namespaces. Needs the right to trace the process.
    pub fn namespaces(&self) -> Result<Namespaces, Error> {
        Ok(Namespaces {
            mount: self.namespace("mnt")?,
            pid: self.namespace("pid")?,
            network: self.namespace("net")?,
            user: self.namespace("user")?,
        })
    }

    fn namespace(&self, name: &str) -> Result<u64, Error> {
        let link = format!("ns/{name}");
        let target = self.read_link(&link)?;
        parse(&target.to_string_lossy()).ok_or_else(|| self.malformed(&link, "not a namespace"))
    }
}

/// `mnt:[4026531840]`
fn parse(target: &str) -> Option<u64> {
    target.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pid, ProcFs};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_pids_that_we_see_are_the_kernel_s_in_the_initial_namespace_alone() {
        for (shown, namespace, view) in [
            (Some(7), Some(INITIAL_PIDS), PidView::Machine),
            (Some(7), Some(4_026_532_281), PidView::Namespace),
            (Some(9), Some(INITIAL_PIDS), PidView::Foreign),
            (None, None, PidView::Foreign),
            (Some(7), None, PidView::Machine),
        ] {
            assert_eq!(PidView::decide(shown, 7, namespace), view);
        }
    }

    #[test]
    fn the_number_is_the_inode_of_the_namespace() {
        let process = ProcFs::system().process(Pid(std::process::id())).unwrap();
        let namespaces = process.namespaces().unwrap();
        for (name, number) in [
            ("mnt", namespaces.mount),
            ("pid", namespaces.pid),
            ("net", namespaces.network),
            ("user", namespaces.user),
        ] {
            assert_eq!(std::fs::metadata(format!("/proc/self/ns/{name}")).unwrap().ino(), number);
        }
    }

    #[test]
    fn what_is_no_namespace_is_refused() {
        for target in ["", "mnt:4026531840", "mnt:[x]", "mnt:[1", "/bin/sh"] {
            assert_eq!(parse(target), None, "{target}");
        }
    }
}
