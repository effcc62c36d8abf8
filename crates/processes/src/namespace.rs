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
