//! `infrared up`, `agent` and `server`.

use rustix::process::Signal;

use crate::support::{Running, address_after, await_answer, get};

#[test]
fn up_shows_samples_and_ends_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let arguments = ["up", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let mut running = Running::start(&arguments);
    let address = address_after(&running.await_line("infrared is at"), "http://");
    assert!(running.await_line("sees").contains("CPUs at 99 Hz"));
    await_answer(address, "/api/v1/services?from=-1m", |answer| answer.contains("\"service\":"));
    assert!(get(address, "/api/v1/status").contains("\"hz\":99"));
    let metrics = get(address, "/metrics");
    assert!(metrics.contains("infrared_agent_samples_taken_total"), "{metrics}");
    running.signal(Signal::TERM);
    assert_eq!(running.end().code(), Some(0), "{}", running.said);
    let mut again = Running::start(&arguments);
    let address = address_after(&again.await_line("infrared is at"), "http://");
    let status = get(address, "/api/v1/status");
    assert!(!status.contains("\"from_ms\":null"), "the first run's data are there: {status}");
}

#[test]
fn what_an_agent_records_reaches_its_server() {
    let dir = tempfile::tempdir().unwrap();
    let [store, spool] = ["store", "spool"].map(|name| dir.path().join(name));
    let mut server = Running::start(&[
        "server",
        "--listen",
        "127.0.0.1:0",
        "--otlp-grpc",
        "127.0.0.1:0",
        "--otlp-http",
        "127.0.0.1:0",
        "--store",
        store.to_str().unwrap(),
    ]);
    let address = address_after(&server.await_line("infrared server is at"), "http://");
    let grpc = address_after(&server.await_line("over gRPC"), " at ").to_string();
    let mut agent =
        Running::start(&["agent", "--server", &grpc, "--spool", spool.to_str().unwrap()]);
    agent.await_line("infrared agent samples");
    await_answer(address, "/api/v1/services?from=-1m", |answer| answer.contains("\"service\":"));
    agent.signal(Signal::INT);
    assert_eq!(agent.end().code(), Some(0), "{}", agent.said);
    let left = std::fs::read_dir(&spool).unwrap().count();
    assert_eq!(left, 1, "only the lock: everything was delivered");
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0), "{}", server.said);
}
