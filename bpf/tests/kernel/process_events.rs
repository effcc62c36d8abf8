//! What is told of processes besides samples.

use std::time::{Duration, Instant};

use infrared_bpf::{SidebandEvent, SidebandRecord};

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
        SidebandEvent::Lost { count } => panic!("{count} events lost"),
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
