//! What is told of processes besides samples.

use std::time::{Duration, Instant};

use infrared_bpf::{
    Exec, Filter, Kernel, KernelConfig, SidebandEvent, SidebandRecord, abi::IR_ENVIRONMENT_MAX,
};

use crate::{
    session::{Session, config},
    subject::{Subject, executable},
};

/// Far more than the events need to arrive.
const LIMIT: Duration = Duration::from_secs(20);

fn drain_until(
    session: &mut Session,
    last: impl Fn(&SidebandEvent) -> bool,
) -> Vec<SidebandRecord> {
    let mut records = Vec::new();
    let start = Instant::now();
    while !records.iter().any(|record: &SidebandRecord| last(&record.event)) {
        assert!(start.elapsed() < LIMIT, "the last event never came");
        records.extend(session.kernel.sideband.drain());
    }
    records
}

/// A short name of what concerns us.
fn describe(event: &SidebandEvent, subject: u32, child: u32) -> Option<String> {
    let who = |pid: u32| match pid {
        _ if pid == subject => Some("subject"),
        _ if pid == child => Some("child"),
        _ => None,
    };
    Some(match event {
        SidebandEvent::Fork { pid, tid, .. } if pid == tid => format!("{} forked", who(*pid)?),
        SidebandEvent::Exit { pid, tid } if pid == tid => format!("{} exits", who(*pid)?),
        SidebandEvent::Comm { pid, exec: true, comm, .. } => format!("{} execs {comm}", who(*pid)?),
        SidebandEvent::Mmap { pid, path, length, .. } => {
            assert!(*length > 0);
            format!("{} maps {}", who(*pid)?, String::from_utf8_lossy(path))
        }
        SidebandEvent::Lost { count, .. } => panic!("{count} events lost"),
        _ => return None,
    })
}

#[test]
fn the_life_of_a_process_is_told_in_order_and_with_paths() {
    let mut session = Session::load(&config());
    let mut subject = Subject::start();
    let child = subject.numbers("fork 1")[0] as u32;
    // A file that nothing else maps as code.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    subject.tell(&format!("map {file}"));
    subject.tell("exec");
    let pid = subject.pid();
    subject.end();
    let exit = |event: &SidebandEvent| *event == SidebandEvent::Exit { pid, tid: pid };
    let records = drain_until(&mut session, exit);
    assert!(records.is_sorted_by_key(|record| record.time_ns));
    let told: Vec<_> =
        records.iter().filter_map(|record| describe(&record.event, pid, child)).collect();
    let map = format!("subject maps {}", executable());
    let expected = [
        "subject forked".to_owned(),
        "subject execs subject".to_owned(),
        map.clone(),
        "child forked".to_owned(),
        "child exits".to_owned(),
        format!("subject maps {file}"),
        "subject execs exe".to_owned(),
        map,
        "subject exits".to_owned(),
    ];
    let mut rest = told.iter();
    for event in &expected {
        assert!(rest.any(|other| other == event), "no {event:?} in its place in {told:#?}");
    }
    let parent = records.iter().find_map(|record| match record.event {
        SidebandEvent::Fork { pid: of, parent_pid, .. } if of == child => Some(parent_pid),
        _ => None,
    });
    assert_eq!(parent, Some(pid));
}

#[test]
fn a_bpf_program_is_told_of_when_it_comes_and_when_it_goes() {
    let mut session = Session::load(&config());
    drop(Kernel::load(&config()).unwrap());
    let program = |event: &SidebandEvent, is_wanted_gone: bool| match event {
        SidebandEvent::KernelSymbol { address, length, name, is_gone } => {
            (*is_gone == is_wanted_gone && name.starts_with("bpf_prog_"))
                .then_some((*address, *length))
        }
        _ => None,
    };
    let records = drain_until(&mut session, |event| program(event, true).is_some());
    let gone = records.iter().find_map(|record| program(&record.event, true));
    let mut came = records.iter().filter_map(|record| program(&record.event, false));
    assert!(came.any(|place| Some(place) == gone), "{gone:x?} had not come");
}

/// What the exec of a program with these variables tells.
fn exec_with(variables: &[(&str, &str)]) -> Exec {
    let config = KernelConfig { filter: Filter::Everything, ..config() };
    let mut session = Session::load(&config);
    let mut command = std::process::Command::new("true");
    let mut child = command.env_clear().envs(variables.iter().copied()).spawn().unwrap();
    child.wait().unwrap();
    let execs = session.take().execs;
    execs.into_iter().find(|exec| exec.pid == child.id()).expect("its exec")
}

#[test]
fn an_exec_tells_of_the_environment() {
    let exec = exec_with(&[("FIRST", "of two"), ("OTEL_SERVICE_NAME", "shop")]);
    assert_eq!(exec.environment, b"FIRST=of two\0OTEL_SERVICE_NAME=shop\0");
    assert!(!format!("{exec:?}").contains("shop"), "an environment is not logged");
}

#[test]
fn of_a_large_environment_the_beginning_travels() {
    let exec = exec_with(&[("LARGE", &"x".repeat(100_000))]);
    assert_eq!(exec.environment.len(), IR_ENVIRONMENT_MAX as usize);
    assert!(exec.environment.starts_with(b"LARGE=xxx"));
}
