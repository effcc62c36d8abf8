//! OTLP in: what is taken, what is refused, and at what cost.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use infrared_server::{Limits, ServerConfig};
use infrared_wire::proto::collector::profiles_service_client::ProfilesServiceClient;
use infrared_wire::proto::collector::{
    ExportProfilesServiceRequest, ExportProfilesServiceResponse,
};
use infrared_wire::to_otlp;
use prost::Message;

use crate::support::{Answer, Running, client, config, now_ms, start, start_with, window};

const PATH: &str = "/v1development/profiles";
const PROTOBUF: &str = "application/x-protobuf";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("write");
    encoder.finish().expect("finish")
}

fn post(url: &str, kind: &str, encoding: Option<&str>, body: &[u8]) -> Answer {
    let mut request = client().post(url).header("content-type", kind);
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    let mut response = request.send(body).expect("an answer");
    let body = response.body_mut().read_to_vec().expect("a body");
    Answer::new(&response, body)
}

fn request(start_ms: i64, value: u64) -> ExportProfilesServiceRequest {
    to_otlp(&[window(start_ms, 10_000, &[("shop", 1, &["main", "pay"], value)])])
}

fn samples(server: &Running) -> u64 {
    server.json("/api/v1/quality")["samples_taken"].as_u64().expect("a number")
}

fn small() -> ServerConfig {
    let limits = Limits { body_bytes: 300_000, expanded_bytes: 1_000_000, ..Limits::default() };
    ServerConfig { limits, ..config() }
}

#[test]
fn profiles_come_in_over_http_on_both_ports() {
    let server = start();
    let body = request(now_ms() - 20_000, 5).encode_to_vec();
    let otlp = format!("http://{}{PATH}", server.addrs.otlp_http.expect("an address"));
    for (url, encoding, bytes) in [
        (otlp.clone(), None, body.clone()),
        (otlp, Some("gzip"), gzip(&body)),
        (server.url(PATH), Some("gzip"), gzip(&body)),
    ] {
        let answer = post(&url, PROTOBUF, encoding, &bytes);
        assert_eq!((answer.status, answer.header("content-type")), (200, PROTOBUF));
        let response = ExportProfilesServiceResponse::decode(&answer.body[..]).expect("protobuf");
        assert_eq!(response.partial_success, None);
    }
    assert_eq!(samples(&server), 15);
}

#[test]
fn profiles_come_in_over_grpc() {
    let server = start();
    let endpoint = format!("http://{}", server.addrs.otlp_grpc.expect("an address"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let client = ProfilesServiceClient::connect(endpoint).await.expect("a connection");
        let mut client = client.send_compressed(tonic::codec::CompressionEncoding::Gzip);
        let response = client.export(request(now_ms() - 20_000, 5)).await.expect("exported");
        assert_eq!(response.into_inner().partial_success, None);
        let response = client.export(request(now_ms() + 86_400_000, 5)).await.expect("exported");
        assert_eq!(response.into_inner().partial_success.expect("partial").rejected_profiles, 1);
    });
    assert_eq!(samples(&server), 5);
}

#[test]
fn grpc_refuses_what_is_too_large_or_malformed() {
    let server = start_with(small());
    let endpoint = format!("http://{}", server.addrs.otlp_grpc.expect("an address"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let client = ProfilesServiceClient::connect(endpoint).await.expect("a connection");
        let mut client = client.send_compressed(tonic::codec::CompressionEncoding::Gzip);
        let mut bomb = request(now_ms(), 1);
        if let Some(dictionary) = &mut bomb.dictionary {
            dictionary.string_table.push("x".repeat(50_000_000));
        }
        let refused = client.export(bomb).await.expect_err("too large");
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted, "{refused}");
        let mut broken = request(now_ms(), 1);
        if let Some(dictionary) = &mut broken.dictionary {
            dictionary.stack_table.clear();
        }
        let refused = client.export(broken).await.expect_err("malformed");
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
        client.export(request(now_ms() - 20_000, 5)).await.expect("the connection still works");
    });
    assert_eq!(samples(&server), 5);
}

#[test]
fn windows_far_from_now_are_rejected_and_counted() {
    let server = start();
    let day = 86_400_000;
    for (start_ms, word) in [(now_ms() + day, "future"), (now_ms() - 400 * day, "old")] {
        let body = request(start_ms, 5).encode_to_vec();
        let answer = post(&server.url(PATH), PROTOBUF, None, &body);
        assert_eq!(answer.status, 200);
        let response = ExportProfilesServiceResponse::decode(&answer.body[..]).expect("protobuf");
        let partial = response.partial_success.expect("a partial success");
        assert_eq!(partial.rejected_profiles, 1);
        assert!(partial.error_message.contains(word), "{}", partial.error_message);
    }
    assert_eq!(server.metric("infrared_server_ingest_profiles_rejected_total"), 2);
    assert_eq!(server.store.range(), None);
}

#[test]
fn a_malformed_body_is_refused_in_words() {
    let server = start();
    let whole = request(now_ms(), 5).encode_to_vec();
    let mut dangling = request(now_ms(), 5);
    if let Some(dictionary) = &mut dangling.dictionary {
        dictionary.location_table.truncate(1);
    }
    for (name, kind, encoding, body, status) in [
        ("noise", PROTOBUF, None, b"\xff\xff\xff\xff".to_vec(), 400),
        ("cut", PROTOBUF, None, whole[..whole.len() - 3].to_vec(), 400),
        ("dangling index", PROTOBUF, None, dangling.encode_to_vec(), 400),
        ("no gzip", PROTOBUF, Some("gzip"), whole.clone(), 400),
        ("cut gzip", PROTOBUF, Some("gzip"), gzip(&whole)[..20].to_vec(), 400),
        ("other encoding", PROTOBUF, Some("br"), whole.clone(), 415),
        ("JSON", "application/json", None, b"{}".to_vec(), 415),
        ("no type", "", None, whole.clone(), 415),
    ] {
        let answer = post(&server.url(PATH), kind, encoding, &body);
        assert_eq!(answer.status, status, "{name}");
        assert!(answer.body.len() > 10, "{name}: the answer says why");
    }
    assert_eq!(server.metric("infrared_server_ingest_malformed_total"), 6);
    assert_eq!(server.store.range(), None, "nothing was stored");
    assert_eq!(post(&server.url(PATH), PROTOBUF, None, &whole).status, 200);
}

/// Resident memory of this process, which runs the server, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: u64 = status.split(' ').nth(1).expect("a field").parse().expect("a number");
    pages * 4096
}

#[test]
fn a_body_that_expands_to_gigabytes_costs_its_limit_at_most() {
    let limits = Limits { expanded_bytes: 1_000_000, ..Limits::default() };
    let server = start_with(ServerConfig { limits, ..config() });
    // Fifty gzip members of 50 MiB each.
    let bomb = gzip(&vec![0; 50 << 20]).repeat(50);
    assert!(bomb.len() < limits.body_bytes);
    let before = resident();
    for _ in 0..3 {
        assert_eq!(post(&server.url(PATH), PROTOBUF, Some("gzip"), &bomb).status, 413);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 100 << 20, "memory grew by {grown} bytes");
    assert_eq!(server.metric("infrared_server_ingest_too_large_total"), 3);
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let server = start_with(small());
    let answer = post(&server.url(PATH), PROTOBUF, None, &vec![0; 400_000]);
    assert_eq!(answer.status, 413);
}
