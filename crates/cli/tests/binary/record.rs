//! `infrared record`.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Busy, Running, assert_says, infrared, run};

/// Burns some tenths of a second and ends with the code 7.
const BUSY: &str = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exit 7";

fn counts(folded: &str) -> u64 {
    folded.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

#[test]
fn in_another_pid_namespace_it_says_so_and_how_to_get_out() {
    let program = infrared(&[]).get_program().to_owned();
    let inside = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc"]).arg(&program).args(arguments);
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let (recorded, said) = inside(&["record", "-d", "1s", "-o", "-", "--format", "folded"]);
    assert!(!recorded && said.contains("another pid namespace"), "{said}");
    assert!(said.contains("--pid=host") && said.contains("hostPID: true"), "{said}");
    let (_, said) = inside(&["doctor"]);
    assert!(said.contains("another pid namespace") && said.contains("--pid=host"), "{said}");
}

#[test]
fn a_command_is_recorded_and_its_code_passed_on() {
    let dir = tempfile::tempdir().unwrap();
    let (out, stats) = (dir.path().join("out.folded"), dir.path().join("stats.json"));
    let mut command = infrared(&["record", "-F", "499", "-o"]);
    command.arg(&out).arg("--stats").arg(&stats).args(["--", "sh", "-c", BUSY]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    let folded = fs::read_to_string(&out).unwrap();
    assert!(counts(&folded) > 0 && folded.lines().all(|line| line.starts_with("sh;")), "{folded}");
    let stats: Value = serde_json::from_slice(&fs::read(&stats).unwrap()).unwrap();
    let number = |name: &str| stats[name].as_u64().unwrap_or_else(|| panic!("{name}: {stats:#}"));
    assert!(number("samples_taken") > 0 && number("samples_delivered") > 0, "{stats:#}");
    // Which of them are 0 depends on how soon the tables were there.
    for name in ["frames", "deferred", "table_rows", "table_bytes", "bpf_run_ns", "bpf_runs"] {
        number(name);
    }
    assert_eq!(stats["samples_lost"], serde_json::json!({}));
}

#[test]
fn standard_output_gets_the_data_and_nothing_else() {
    let said = run(&["record", "-F", "499", "-o", "-", "--unit", "ns", "--", "sh", "-c", BUSY]);
    assert_eq!(said.code, Some(7));
    let total = counts(&said.stdout);
    assert!(total > 0 && total.is_multiple_of(1_000_000_000 / 499), "{}", said.stdout);
    assert!(said.stderr.contains("recording `sh -c"), "{}", said.stderr);
}

#[test]
fn stacks_are_told_apart_by_labels_and_chosen_by_them() {
    const TWO: &str = "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; :";
    let record = |arguments: &[&str]| {
        let rest = ["-F", "499", "-o", "-", "--", "sh", "-c", TWO];
        run(&[&["record"], arguments, &rest[..]].concat()).stdout
    };
    let apart = record(&["--by", "thread", "--by", "pid"]);
    let is_apart = |line: &str| {
        let mut fields = line.split(';');
        // Who was gone before it could be read has the name of its program, which is not that of the shell everywhere.
        fields.next().is_some_and(|service| !service.is_empty())
            && fields.next() == Some("sh")
            && fields.next().is_some_and(|pid| pid.parse::<u32>().is_ok())
    };
    assert!(counts(&apart) > 0 && apart.lines().all(is_apart), "{apart}");
    assert!(counts(&record(&["--label", "thread=sh"])) > 0);
    assert_eq!(record(&["--label", "thread=sh", "--label", "pid=1"]), "");
}

#[test]
fn every_format_is_written() {
    let dir = tempfile::tempdir().unwrap();
    for (name, start) in [
        ("a.pb.gz", &[0x1f, 0x8b][..]),
        ("a.svg", b"<svg "),
        ("a.html", b"<!doctype html>"),
        ("a.json", b"{\"version\""),
        ("a.speedscope.json", b"{\"$schema\""),
        ("a.otlp", b"\x0a"),
    ] {
        let path = dir.path().join(name);
        let path = path.to_str().unwrap();
        let arguments = ["record", "-F", "499", "-o", path, "--", "sh", "-c", BUSY];
        assert_says(&arguments, 7, &["samples (", path]);
        assert!(fs::read(path).unwrap().starts_with(start), "{name}");
    }
}

#[test]
fn what_cannot_be_recorded_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.folded");
    let path = path.to_str().unwrap();
    assert_says(&["record", "-p", "4194300", "-o", path], 1, &["there is no process 4194300"]);
    assert_says(&["record", "-o", path, "--", "/no/such"], 127, &["cannot run /no/such"]);
    assert_says(&["record", "-o", path, "--", "/etc/passwd"], 126, &["cannot run /etc/passwd"]);
    assert_says(&["record", "--cgroup", "/tmp", "-o", path], 1, &["/tmp is not a cgroup"]);
    assert!(!fs::exists(path).unwrap());
}

#[test]
fn nothing_seen_is_said_and_still_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.json");
    let path = path.to_str().unwrap();
    let _busy = Busy::start();
    let arguments = ["record", "--service", "no such service", "-d", "500ms", "-o", path];
    assert_says(&arguments, 0, &["no samples of service no such service"]);
    let document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(document["total"], 0);
}

#[test]
fn a_signal_ends_a_recording_that_is_still_written() {
    for signal in [Signal::INT, Signal::TERM] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.svg");
        let mut running = Running::start(&["record", "-d", "10m", "-o", path.to_str().unwrap()]);
        running.await_line("recording the whole machine");
        running.signal(signal);
        assert_eq!(running.end().code(), Some(0), "{}", running.said);
        assert!(fs::read_to_string(&path).unwrap().ends_with("</svg>\n"));
    }
}

#[test]
fn the_end_of_the_process_ends_the_recording() {
    let mut process = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = process.id().to_string();
    let mut running = Running::start(&["record", "-p", &pid, "-d", "10m", "-o", "-"]);
    running.await_line(&format!("recording process {pid}"));
    drop(process.stdin.take());
    process.wait().unwrap();
    running.await_line(&format!("process {pid} ended after"));
    assert_eq!(running.end().code(), Some(0), "{}", running.said);
}

#[test]
fn a_signal_reaches_the_command_whose_end_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.folded");
    let script = "trap 'exit 9' TERM; echo ready; while :; do :; done";
    let path = path.to_str().unwrap();
    let mut running = Running::start(&["record", "-o", path, "--", "sh", "-c", script]);
    let mut line = String::new();
    BufReader::new(running.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    running.signal(Signal::TERM);
    assert_eq!(running.end().code(), Some(9), "{}", running.said);
}

#[test]
fn one_look_at_the_top_is_printed() {
    let _busy = Busy::start();
    let said = run(&["top", "--once", "--json", "--interval", "1s"]);
    let picture: Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(picture["samples"].as_u64().unwrap() > 0, "{picture}");
    let services = picture["services"].as_array().unwrap();
    assert!(services.iter().any(|row| row["service"] == "sh"), "{picture}");
    assert!(run(&["top", "--once"]).stdout.contains("SELF %  TOTAL %  FUNCTION"));
}
