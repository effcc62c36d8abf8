//! Clients that are slow, broken, idle or too many.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use infrared_server::{Limits, ServerConfig};

use crate::support::{Row, config, exchange, now_ms, shop, start, start_with, window};

const POST: &str = "POST /v1development/profiles HTTP/1.1\r\nHost: localhost\r\n\
     Content-Type: application/x-protobuf\r\nContent-Length: 5000\r\n\r\n";

fn with(limits: Limits) -> ServerConfig {
    ServerConfig { limits, ..config() }
}

/// Reads until the server closes; panics if it does not within the socket's time limit.
fn read_to_close(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => {}
        other => {
            other.expect("the server closes");
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_body_that_trickles_is_cut_off() {
    let server = start_with(with(Limits {
        ingest_timeout: Duration::from_millis(300),
        ..Limits::default()
    }));
    let mut stream = server.raw();
    stream.write_all(POST.as_bytes()).expect("send");
    stream.write_all(b"a few bytes").expect("send");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let server =
        start_with(with(Limits { head_timeout: Duration::from_millis(300), ..Limits::default() }));
    let mut stream = server.raw();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: local").expect("send");
    let answer = read_to_close(stream);
    assert!(answer.is_empty() || answer.contains("408"), "{answer}");
    let mut endless = server.raw();
    let mut sent = 0;
    let mut broken = endless.write_all(b"GET /").is_err();
    while !broken && sent < 10_000_000 {
        broken = endless.write_all(&[b'a'; 10_000]).is_err();
        sent += 10_000;
    }
    assert!(broken, "a request line of {sent} bytes was read");
}

#[test]
fn a_connection_that_breaks_leaves_the_server_well() {
    let server = start();
    for request in ["", "GET", "GET /api/v1/tree HTTP/1.1\r\n", POST, "\0\0\0\0\r\n\r\n"] {
        let mut stream = server.raw();
        stream.write_all(request.as_bytes()).expect("send");
        drop(stream);
    }
    let mut stream = server.raw();
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("send");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("a line");
    assert!(line.contains("200"), "{line}");
    shop(&server);
    assert_eq!(server.json("/api/v1/services")["services"][0]["service"], "shop");
}

#[test]
fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let limits =
        Limits { write_timeout: Duration::from_millis(300), connections: 2, ..Limits::default() };
    let server = start_with(with(limits));
    let names: Vec<String> =
        (0..60_000).map(|i| format!("function_with_a_long_name_{i:08}")).collect();
    let stacks: Vec<[&str; 2]> = names.iter().map(|n| ["main", n.as_str()]).collect();
    let rows: Vec<Row<'_>> = stacks.iter().map(|s| ("shop", 1, &s[..], 1)).collect();
    server.ingest.write(vec![window(now_ms() - 15_000, 10_000, &rows)]).expect("write");
    // Several answers of megabytes each, none of them read: more than any socket buffer holds.
    let mut stream = server.raw();
    let request = "GET /api/v1/export?format=json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.repeat(4).as_bytes()).expect("send");
    let give_up = Instant::now() + Duration::from_mins(1);
    let mut other = Vec::new();
    // The stalled connection holds one of two slots until it is cut off; then both are free at once.
    loop {
        assert!(Instant::now() < give_up, "the connection was never cut off");
        other.clear();
        other.extend((0..2).map(|_| server.raw()));
        let both_served = other.iter_mut().all(|stream| {
            let sent = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let mut answer = [0; 12];
            sent.is_ok() && stream.read_exact(&mut answer).is_ok() && &answer == b"HTTP/1.1 200"
        });
        if both_served {
            break;
        }
    }
}

#[test]
fn connections_over_the_limit_are_closed_and_counted() {
    let server = start_with(with(Limits { connections: 3, ..Limits::default() }));
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..3 {
        let mut stream = server.raw();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("send");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        held.push(stream);
    }
    assert_eq!(read_to_close(server.raw()), "");
    // The last of the held connections is used for asking: another one would be refused.
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let text = exchange(held.pop().expect("a connection"), request);
    assert!(text.contains("infrared_server_connections_refused_total 1\n"), "{text}");
}

/// The next `data:` line of an event stream.
fn next_data(stream: &mut impl BufRead) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(stream.read_line(&mut line).expect("a line") > 0, "the stream ended");
        if let Some(data) = line.trim_end().strip_prefix("data: ") {
            return data.to_owned();
        }
    }
}

fn subscribe(server: &crate::support::Running) -> BufReader<TcpStream> {
    let mut stream = server.raw();
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("send");
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while !line.starts_with(": connected") {
        line.clear();
        assert!(stream.read_line(&mut line).expect("a line") > 0, "no event stream");
    }
    stream
}

#[test]
fn events_tell_of_new_data() {
    let server = start();
    let mut stream = subscribe(&server);
    let start = now_ms() - 15_000;
    let rows: &[Row<'_>] = &[("shop", 1, &["main"], 1)];
    server.ingest.write(vec![window(start, 10_000, rows)]).expect("write");
    let event: serde_json::Value = serde_json::from_str(&next_data(&mut stream)).expect("JSON");
    assert_eq!(event, serde_json::json!({"from_ms": start, "to_ms": start + 10_000}));
}

#[test]
fn a_reader_that_lags_holds_up_nobody_and_catches_up() {
    let server = start();
    let mut stream = subscribe(&server);
    let rows: &[Row<'_>] = &[("shop", 1, &["main"], 1)];
    let first = now_ms() - 500_000;
    for index in 0..300 {
        server.ingest.write(vec![window(first + index * 1000, 1000, rows)]).expect("write");
    }
    let last = format!("{{\"from_ms\":{},", first + 299_000);
    let mut seen = 0;
    while !next_data(&mut stream).starts_with(&last) {
        seen += 1;
        assert!(seen <= 300, "the last window was never announced");
    }
}

#[test]
fn a_stop_ends_event_streams_and_returns() {
    let mut server = start();
    let mut stream = subscribe(&server);
    let idle = server.raw();
    let before = Instant::now();
    server.stop();
    assert!(before.elapsed() < Duration::from_secs(20));
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("the stream ends");
    assert_eq!(read_to_close(idle), "");
}
