use std::process::Command;

use infrared_processes::host::{Clocks, Host, clock_ticks_per_second};
use infrared_processes::process::{WantedVariables, start_boottime_ns};
use infrared_processes::service::{Rules, Source};
use infrared_processes::{Identifier, Pid, ProcFs, Process};
use rustix::time::{ClockId, clock_gettime};

use crate::child::{Cat, copy_of_cat};

fn identifier() -> Identifier {
    Identifier::new(ProcFs::system(), Rules::default(), &Host::read())
}

#[test]
fn everything_that_runs_has_a_service() {
    let mut kernel_threads = 0;
    let mut named = 0;
    let identifier = identifier();
    for pid in ProcFs::system().list().unwrap() {
        match identifier.identify(pid) {
            Ok(identity) => {
                assert!(!identity.service.name.is_empty(), "{identity:?}");
                assert_eq!(identity.is_self, pid.0 == std::process::id());
                kernel_threads += usize::from(identity.is_kernel_thread);
                named += 1;
            }
            Err(error) => assert!(error.is_gone(), "{error}"),
        }
    }
    assert!(kernel_threads > 0, "kernel threads are named, too");
    assert!(named > kernel_threads);
}

#[test]
fn a_service_that_names_itself_is_believed() {
    let (_directory, copy) = copy_of_cat("shopd");
    let cat = Cat::start(Command::new(&copy).env("OTEL_SERVICE_NAME", "shop"));
    let identity = identifier().identify_process(&cat.dir).unwrap();
    assert_eq!(
        (identity.service.name.as_str(), identity.service.source),
        ("shop", Source::Declared)
    );
    assert_eq!(identity.executable, "shopd");
    assert_eq!(identity.executable_path.as_deref(), copy.to_str());
    assert_eq!(identity.command, "shopd");
    assert!(!identity.is_self);
}

#[test]
fn a_deleted_executable_keeps_its_name() {
    let (_directory, copy) = copy_of_cat("shopd");
    let cat = Cat::start(Command::new(&copy).env_remove("OTEL_SERVICE_NAME"));
    std::fs::remove_file(&copy).unwrap();
    let identity = identifier().identify_process(&cat.dir).unwrap();
    assert_eq!((identity.service.name.as_str(), identity.executable.as_str()), ("shopd", "shopd"));
}

#[test]
fn a_script_is_named_and_its_arguments_stay_unseen() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("backup.sh");
    // the shell stays, for there is something to do behind the loop
    std::fs::write(&script, "#!/bin/sh\nwhile read line; do echo \"$line\"; done\nexit 0\n")
        .unwrap();
    let cat = Cat::start(Command::new("/bin/sh").arg(&script).args(["--password", "hunter2"]));
    let identity = identifier().identify_process(&cat.dir).unwrap();
    let found = (identity.service.name.as_str(), identity.service.source);
    assert_eq!(found, ("backup.sh", Source::Script));
    assert!(!format!("{identity:?}").contains("hunter2"));
    let process = Process::read(&cat.dir, &WantedVariables::default()).unwrap();
    assert_eq!(process.cmdline.arguments.last().unwrap(), "hunter2");
    assert!(!format!("{process:?}").contains("hunter2"));
}

#[test]
fn a_child_is_read_as_it_is() {
    let before = clock_gettime(ClockId::Monotonic);
    let cat = Cat::start(Command::new("cat").current_dir("/usr"));
    let after = clock_gettime(ClockId::Monotonic);
    let process = Process::read(&cat.dir, &WantedVariables::default()).unwrap();
    assert_eq!(process.stat.parent, Pid(std::process::id()));
    assert_eq!(process.stat.comm, "cat");
    assert_eq!((process.stat.threads, process.is_partial), (1, false));
    assert_eq!(process.working_directory.as_deref(), Some("/usr".as_ref()));
    assert_eq!(process.namespace_pid(), process.pid);
    assert_eq!(process.status.effective_uid, rustix::process::geteuid().as_raw());
    assert!(!process.is_kernel_thread());
    let started = start_boottime_ns(process.stat.start_ticks, clock_ticks_per_second());
    let started = Clocks::read().monotonic_ns(started);
    let in_ns = |time: rustix::time::Timespec| (time.tv_sec * 1_000_000_000 + time.tv_nsec) as u64;
    let tick = 1_000_000_000 / clock_ticks_per_second();
    assert!((in_ns(before) - tick..=in_ns(after) + tick).contains(&started));
}

#[test]
fn a_process_in_its_own_pid_namespace_has_two_ids() {
    let mut command = Command::new("unshare");
    // unshare itself waits: what it started is its only child
    let cat = Cat::start(command.args(["--pid", "--fork", "--kill-child", "cat"]));
    let children = ProcFs::system().list().unwrap().into_iter().filter_map(|pid| {
        let dir = ProcFs::system().process(pid).ok()?;
        let process = Process::read(&dir, &WantedVariables::default()).ok()?;
        (process.stat.parent == cat.dir.pid()).then_some(process)
    });
    let children: Vec<Process> = children.collect();
    let [child] = &children[..] else { panic!("{children:?}") };
    assert_eq!(child.stat.comm, "cat");
    assert_eq!(child.namespace_pid(), Pid(1));
    assert_eq!(child.status.namespace_pids, [child.pid, Pid(1)]);
}

/// Pid in `testdata/proc`; service, its source, container's runtime, unit, command, version.
const CAPTURED: &str = "
       2 | kernel             | Kernel     |            |                             | kthreadd |
     611 | nginx              | Unit       |            | nginx.service               | nginx |
     702 | postgresql@15-main | Unit       |            | postgresql@15-main.service  | postgres |
     813 | gunicorn shop.wsgi | Script     |            | session-3.scope             | python3.11 gunicorn shop.wsgi |
     914 | orders             | Workload   | Containerd |                             | java orders | 2.4.1
    1015 | checkout           | Workload   | Docker     |                             | node checkout/server.js |
    1116 | redis-server       | Executable |            | init.scope                  | redis-server |
    1217 | shop web           | Declared   |            | shop-web.service            | ruby3.1 puma shop | 3.1
    1318 | php8.2-fpm         | Unit       | Lxc        | php8.2-fpm.service          | php-fpm8.2 php-fpm www |
    1419 | defunct            | Executable |            | session-3.scope             | defunct |
    1520 | [31mred            | Executable |            |                             | [31mred |
";

#[test]
fn captured_processes_are_identified() {
    let host = Host { name: "web1".into(), ..Host::read() };
    let tree = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/proc");
    let identifier = Identifier::new(ProcFs::at(tree), Rules::default(), &host);
    let mut seen = Vec::new();
    for line in CAPTURED.lines().filter(|line| !line.is_empty()) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [pid, service, source, runtime, unit, command, version] = columns[..] else {
            panic!("not seven columns: {line}");
        };
        let pid = Pid(pid.parse().unwrap());
        let found = identifier.identify(pid).unwrap();
        assert_eq!(found.service.name, service, "{line}");
        assert_eq!(format!("{:?}", found.service.source), source, "{line}");
        let found_runtime = found.container.as_ref().map(|it| format!("{:?}", it.runtime));
        assert_eq!(found_runtime.unwrap_or_default(), runtime, "{line}");
        assert_eq!(found.unit.as_ref().map_or("", |unit| unit.name.as_str()), unit, "{line}");
        assert_eq!(found.command, command, "{line}");
        assert_eq!(found.service.version.as_deref().unwrap_or_default(), version, "{line}");
        assert!(!format!("{found:?}").contains("hunter2"), "{line}");
        seen.push(pid);
    }
    assert_eq!(seen, ProcFs::at(tree).list().unwrap());
}
