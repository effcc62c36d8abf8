//! `/proc/PID/task`: the threads and their names.

use crate::{Error, ProcessDir};

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// In the pid namespace of the `/proc` tree.
    pub tid: u32,
    /// At most 15 bytes, of the thread's own choosing.
    pub name: String,
}

/// The threads of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Threads {
    pub threads: Vec<Thread>,
    /// There may be more than these.
    pub is_cut: bool,
}

impl ProcessDir {
    /// At most `limit` threads, ascending by id. Those that end meanwhile are left out.
    pub fn threads(&self, limit: usize) -> Result<Threads, Error> {
        let ids = self.list_numbers("task", limit)?;
        let is_cut = ids.len() >= limit;
        let mut threads = Vec::with_capacity(ids.len());
        for tid in ids {
            match self.thread_name(tid) {
                Ok(name) => threads.push(Thread { tid, name }),
                Err(_) if self.is_alive() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Threads { threads, is_cut })
    }

    /// The name of one thread.
    pub fn thread_name(&self, tid: u32) -> Result<String, Error> {
        let name = self.read(&format!("task/{tid}/comm"), 64)?;
        let name = name.strip_suffix(b"\n").unwrap_or(&name);
        Ok(String::from_utf8_lossy(name).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Pid, ProcFs};
    use std::sync::Barrier;

    #[test]
    fn a_named_thread_is_listed_with_its_name() {
        let running = Barrier::new(2);
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().name("table feed".into());
            builder
                .spawn_scoped(scope, || {
                    running.wait();
                    running.wait();
                })
                .unwrap();
            running.wait();
            let process = ProcFs::system().process(Pid(std::process::id())).unwrap();
            let found = process.threads(10_000).unwrap();
            assert!(!found.is_cut);
            assert!(found.threads.iter().any(|thread| thread.name == "table feed"));
            assert!(found.threads.iter().any(|thread| thread.tid == std::process::id()));
            let one = process.threads(1).unwrap();
            assert_eq!((one.threads.len(), one.is_cut), (1, true));
            running.wait();
        });
    }
}
