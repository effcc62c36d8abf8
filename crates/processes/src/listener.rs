//! Who listens on a TCP port: for "the port is taken, by whom".

use std::collections::HashSet;
use std::path::Path;

use crate::{Pid, ProcFs, ProcessDir};

/// Sockets of a machine that are looked at.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// Open files of a process that are looked at.
const MOST_FILES: usize = 100_000;
/// `TCP_LISTEN` of the kernel's `tcp_states.h`.
const LISTEN: &str = "0A";

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub pid: Pid,
    pub comm: String,
}

impl ProcFs {
    /// The process that listens on the TCP port `port` in our network namespace. `None` when there is
    /// none, or when it belongs to another user and we may not look.
    pub fn who_listens(&self, port: u16) -> Option<Listener> {
        let mut inodes = HashSet::new();
        for table in ["net/tcp", "net/tcp6"] {
            if let Ok(content) = self.read(table, MOST_BYTES) {
                inodes.extend(listening_inodes(&String::from_utf8_lossy(&content), port));
            }
        }
        if inodes.is_empty() {
            return None;
        }
        let pids = self.list().ok()?;
        pids.into_iter().find_map(|pid| {
            let process = self.process(pid).ok()?;
            let holds = holds_socket(&process, &inodes);
            let comm = holds.then(|| process.stat().ok())??.comm;
            Some(Listener { pid, comm })
        })
    }
}

fn holds_socket(process: &ProcessDir, inodes: &HashSet<u64>) -> bool {
    let files = process.list_numbers("fd", MOST_FILES).unwrap_or_default();
    files.into_iter().any(|file| {
        let target = process.read_link(&format!("fd/{file}"));
        target.ok().as_deref().and_then(socket_inode).is_some_and(|inode| inodes.contains(&inode))
    })
}

/// `socket:[12345]`
fn socket_inode(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The columns of `/proc/net/tcp` (`Documentation/networking/proc_net_tcp.rst` of the kernel): 1 is
/// `ADDRESS:PORT` in hex, 3 the state, 9 the inode.
fn listening_inodes(table: &str, port: u16) -> impl Iterator<Item = u64> {
    table.lines().skip(1).filter_map(move |line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().take(10).collect();
        let [_, local, _, state, .., inode] = columns[..] else { return None };
        let (_, local_port) = local.rsplit_once(':')?;
        let is_ours = u16::from_str_radix(local_port, 16).ok()? == port;
        (columns.len() == 10 && is_ours && state == LISTEN).then(|| inode.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv6Addr, TcpListener, TcpStream};

    #[test]
    fn this_process_is_found_by_the_port_it_listens_on() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            let found = ProcFs::system().who_listens(port).unwrap();
            assert_eq!(found.pid, Pid(std::process::id()), "{address}");
            let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
            assert_eq!(found.comm, comm.trim_end());
        }
    }

    #[test]
    fn a_connection_is_not_a_listener() {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let port = client.local_addr().unwrap().port();
        assert_eq!(ProcFs::system().who_listens(port), None);
    }

    #[test]
    fn only_whole_lines_that_listen_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0\n\
            1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0\n\
            2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0\n\
            3: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
            rubbish\n";
        assert_eq!(listening_inodes(table, 8080).collect::<Vec<_>>(), [4711]);
    }
}
