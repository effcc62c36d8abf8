//! Who a process is, in one value: what labels its samples.

use serde::Serialize;

use crate::container::{self, Container};
use crate::host::Host;
use crate::process::{Environment, Executable, WantedVariables};
use crate::service::{self, Facts, Rules, Service, Source};
use crate::systemd::Unit;
use crate::{Error, Pid, ProcFs, Process, ProcessDir};

/// Bytes of a host name.
const LONGEST_HOST_NAME: u64 = 256;

/// The identity of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    pub pid: Pid,
    /// With the pid it names the process uniquely, see [`crate::process::Stat::start_ticks`].
    pub start_ticks: u64,
    pub service: Service,
    pub container: Option<Container>,
    /// The systemd unit, with its suffix.
    pub unit: Option<Unit>,
    pub host: String,
    /// File name of the executable; the name of a kernel thread.
    pub executable: String,
    pub executable_path: Option<String>,
    /// The program and its script. Never other arguments: they may hold secrets.
    pub command: String,
    pub is_kernel_thread: bool,
    /// It is this process.
    pub is_self: bool,
}

/// Tells who processes are, by one set of rules.
#[derive(Debug)]
pub struct Identifier {
    proc_fs: ProcFs,
    rules: Rules,
    wanted: WantedVariables,
    host_name: String,
}

impl Identifier {
    /// Of the processes in `proc_fs`.
    pub fn new(proc_fs: ProcFs, rules: Rules, host: &Host) -> Self {
        let wanted = rules.wanted_variables();
        Self { proc_fs, rules, wanted, host_name: host.name.clone() }
    }

    /// Reads a process and tells who it is.
    pub fn identify(&self, pid: Pid) -> Result<Identity, Error> {
        self.identify_process(&self.proc_fs.process(pid)?)
    }

    /// The same for a process that is held open.
    pub fn identify_process(&self, dir: &ProcessDir) -> Result<Identity, Error> {
        let process = Process::read(dir, &self.wanted)?;
        let is_container_named = process.environment.get("HOSTNAME").is_some();
        let (container, unit) = container_and_unit(&process);
        let container_host_name = match &container {
            Some(container) if !is_container_named && !container.is_machine() => host_name_in(dir),
            _ => None,
        };
        Ok(self.decide(&process, container, unit, container_host_name.as_deref()))
    }

    /// The service that an environment declares: of a process that was gone before it could be read. `entries` end with a NUL
    /// each.
    pub fn declared_service(&self, entries: &[u8]) -> Option<String> {
        let environment = Environment::parse(entries, &self.wanted);
        service::declared::of(&environment, &[]).name.and_then(|name| service::clean(&name))
    }

    fn decide(
        &self,
        process: &Process,
        container: Option<Container>,
        unit: Option<Unit>,
        container_host_name: Option<&str>,
    ) -> Identity {
        let program = process.program();
        let service = service::decide(
            &Facts {
                process,
                container: container.as_ref(),
                unit: unit.as_ref(),
                host_name: &self.host_name,
                container_host_name,
                program: &program,
            },
            &self.rules,
        );
        let executable = process.executable.as_ref().map(Executable::base_name);
        let executable = shown(executable.as_deref().unwrap_or(&process.stat.comm));
        let command = match program.source {
            Source::Script => format!("{executable} {}", shown(&program.name)),
            _ => shown(&program.name),
        };
        Identity {
            pid: process.pid,
            start_ticks: process.stat.start_ticks,
            service,
            container,
            unit,
            host: self.host_name.clone(),
            executable,
            executable_path: process
                .executable
                .as_ref()
                .map(|executable| executable.path.to_string_lossy().into_owned()),
            command,
            is_kernel_thread: process.is_kernel_thread(),
            is_self: process.pid.0 == std::process::id(),
        }
    }
}

/// A name that a process chose, fit to show.
fn shown(name: &str) -> String {
    service::clean(name).unwrap_or_else(|| "unnamed".to_owned())
}

/// The container and the unit: within the container if there is one.
fn container_and_unit(process: &Process) -> (Option<Container>, Option<Unit>) {
    let paths = process.cgroups.paths();
    match paths.iter().find_map(|path| container::locate(path)) {
        Some(location) => {
            let unit = Unit::of_cgroup(location.unit_path);
            (Some(location.container), unit)
        }
        None => (None, paths.iter().find_map(|path| Unit::of_cgroup(path))),
    }
}

/// The container's own name, from `/etc/hostname` in the root of the process.
fn host_name_in(dir: &ProcessDir) -> Option<String> {
    let content = dir.read_in_root("etc/hostname", LONGEST_HOST_NAME).ok()?;
    let name = String::from_utf8_lossy(&content).trim().to_owned();
    (!name.is_empty()).then_some(name)
}
