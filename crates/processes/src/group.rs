//! A thread group lives until its last thread. Of one whose main thread has ended, `/proc/PID` is that of a zombie: what
//! belongs to the address space is empty there, and whole in `/proc/PID/task/TID` of a thread that lives.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

use crate::ProcessDir;
use crate::process::Stat;

/// Files of `/proc/PID` that are read through a living thread.
pub(crate) const OF_ADDRESS_SPACE: &[&str] =
    &["maps", "pagemap", "exe", "environ", "cmdline", "root", "cwd", "mem", "mountinfo"];
/// Threads that are looked at for one that lives.
const MOST_THREADS: usize = 4096;
const LONGEST_STAT: u64 = 4096;

impl ProcessDir {
    /// Reads through another thread from now on if the main thread has ended.
    pub(crate) fn with_living_thread(mut self) -> Self {
        if self.main_thread_has_ended()
            && let Some(thread) = self.find_living_thread()
        {
            self.hold_thread(thread);
        }
        self
    }

    /// Whether any thread of the process lives. A zombie exists, and has none.
    pub fn has_living_thread(&self) -> bool {
        if self.main_thread_has_ended() {
            self.find_living_thread().is_some()
        } else {
            self.is_alive()
        }
    }

    fn main_thread_has_ended(&self) -> bool {
        let stat = self.read("stat", LONGEST_STAT).ok();
        stat.and_then(|stat| Stat::parse(&stat)).is_some_and(|stat| stat.is_zombie())
    }

    fn find_living_thread(&self) -> Option<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let tids = self.list_numbers("task", MOST_THREADS).ok()?;
        let of_others = tids.into_iter().filter(|tid| *tid != self.pid().0);
        of_others.into_iter().find_map(|tid| {
            let stat = Stat::parse(&self.read(&format!("task/{tid}/stat"), LONGEST_STAT).ok()?)?;
            let thread =
                rustix::fs::openat(self.dir(), format!("task/{tid}"), flags, Mode::empty());
            thread.ok().filter(|_| !stat.is_zombie())
        })
    }

    /// `mm->start_stack` as a thread that lives shows it; `None` where the main thread does.
    pub(crate) fn start_stack_of_thread(&self) -> Option<u64> {
        use std::io::Read;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.thread()?, "stat", flags, Mode::empty()).ok()?;
        let mut content = Vec::new();
        std::fs::File::from(file).take(LONGEST_STAT).read_to_end(&mut content).ok()?;
        Some(Stat::parse(&content)?.start_stack)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use crate::maps::MapLimits;
    use crate::{Pid, ProcFs};

    /// The main thread ends, and another one waits for a line.
    const PROGRAM: &str = "
        #include <pthread.h>
        #include <stdio.h>
        #include <stdlib.h>
        static void *wait(void *unused)
        {
            int c;
            while ((c = getchar()) != '\\n' && c != EOF);
            exit(0);
        }
        int main(void)
        {
            pthread_t thread;
            pthread_create(&thread, NULL, wait, NULL);
            puts(\"ready\");
            fflush(stdout);
            pthread_exit(NULL);
        }";

    #[test]
    fn a_process_whose_main_thread_has_ended_is_read_through_another() {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("leave.c"), folder.path().join("leave"));
        std::fs::write(&source, PROGRAM).unwrap();
        let mut compiler = Command::new("gcc");
        compiler.arg("-o").arg(&program).arg(&source).arg("-lpthread");
        assert!(compiler.status().unwrap().success());
        let mut command = Command::new(&program);
        command.env("OTEL_SERVICE_NAME", "shop").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let procfs = ProcFs::system();
        let pid = Pid(child.id());
        let is_zombie = || procfs.process(pid).unwrap().stat().unwrap().state == 'Z';
        while !is_zombie() {
            std::thread::yield_now();
        }
        let process = procfs.process(pid).unwrap();
        assert!(process.has_living_thread());
        let mapped = process.executable_mappings(MapLimits::default()).unwrap().mappings;
        assert!(mapped.iter().any(|mapping| mapping.name.ends_with(b"/leave")), "{mapped:?}");
        assert_eq!(process.executable().unwrap().unwrap().path, program);
        assert_ne!(process.stat().unwrap().start_stack, 0);
        let identifier = crate::Identifier::new(
            ProcFs::system(),
            crate::service::Rules::default(),
            &crate::host::Host::read(),
        );
        assert_eq!(identifier.identify(pid).unwrap().service.name, "shop");
        let code = mapped.iter().find(|mapping| mapping.name.ends_with(b"/leave")).unwrap();
        assert!(crate::image::open(&process, code).is_ok());
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        while !is_zombie() || process.has_living_thread() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!process.has_living_thread());
    }
}
