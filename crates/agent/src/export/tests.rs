//! Delivery to a real gRPC server on loopback, which comes and goes.

use std::{
    net::SocketAddr,
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::Duration,
};

use infrared_profile::{Builder, Profile, Series, ValueType, labels};
use infrared_wire::proto::collector::{
    ExportProfilesServiceRequest, ExportProfilesServiceResponse,
    profiles_service_server::{ProfilesService, ProfilesServiceServer},
};
use tokio::runtime::Runtime;
use tonic::{
    Request, Response, Status, codec::CompressionEncoding, transport::server::TcpIncoming,
};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// Takes requests that carry the token, and passes on the start of each window.
#[derive(Debug)]
struct Receiving(SyncSender<u64>);

#[tonic::async_trait]
impl ProfilesService for Receiving {
    async fn export(
        &self,
        request: Request<ExportProfilesServiceRequest>,
    ) -> Result<Response<ExportProfilesServiceResponse>, Status> {
        let token = request.metadata().get("authorization").and_then(|token| token.to_str().ok());
        if token != Some("Bearer secret") {
            return Err(Status::unauthenticated("no token"));
        }
        let profiles =
            infrared_wire::from_otlp(&request.into_inner(), &infrared_wire::Limits::default());
        for profile in profiles.map_err(|error| Status::invalid_argument(error.to_string()))? {
            self.0.send(profile.start_ns).unwrap();
        }
        Ok(Response::new(ExportProfilesServiceResponse::default()))
    }
}

/// A server until it is dropped.
fn serve(address: SocketAddr) -> (Runtime, SocketAddr, Receiver<u64>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (sender, received) = sync_channel(100);
    let incoming = runtime.block_on(async { TcpIncoming::bind(address).unwrap() });
    let address = incoming.local_addr().unwrap();
    let service = ProfilesServiceServer::new(Receiving(sender));
    let service = service.accept_compressed(CompressionEncoding::Gzip);
    let server = tonic::transport::Server::builder().add_service(service);
    runtime.spawn(server.serve_with_incoming(incoming));
    (runtime, address, received)
}

fn start(address: SocketAddr, dir: &Path) -> OtlpSink {
    let token_file = dir.join("token");
    std::fs::write(&token_file, "secret\n").unwrap();
    let config = OtlpConfig {
        url: format!("http://{address}"),
        token_file: Some(token_file),
        spool_directory: dir.join("spool"),
        spool_bytes: 1 << 20,
    };
    OtlpSink::start(&config).unwrap()
}

fn window(start_ns: u64) -> Vec<Profile> {
    let mut builder = Builder::new(ValueType::cpu_samples(), start_ns, 10);
    let series = builder.series(Series::from([(labels::SERVICE.to_owned(), "web".to_owned())]));
    let frame = builder.event("work");
    let stack = builder.stack(&[frame]);
    builder.add(series, stack, 3);
    vec![builder.finish(10)]
}

fn receive(received: &Receiver<u64>, count: usize) -> Vec<u64> {
    (0..count).map(|_| received.recv_timeout(PATIENCE).unwrap()).collect()
}

fn spooled(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir.join("spool")).unwrap().flatten();
    entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "otlp")).count()
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn windows_arrive_in_order_and_nothing_stays_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (_runtime, address, received) = serve(nobody());
    let mut sink = start(address, dir.path());
    for start_ns in 1..=5 {
        sink.deliver(window(start_ns)).unwrap();
    }
    let reader = sink.reader();
    drop(sink);
    assert_eq!(receive(&received, 5), [1, 2, 3, 4, 5]);
    assert_eq!((reader.read().sent, reader.read().waiting, spooled(dir.path())), (5, 0, 0));
}

#[test]
fn what_was_recorded_while_the_server_was_away_arrives_first_once_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let address = nobody();
    let mut sink = start(address, dir.path());
    for start_ns in 1..=3 {
        sink.deliver(window(start_ns)).unwrap();
    }
    drop(sink);
    assert_eq!(spooled(dir.path()), 3, "kept on disk");
    let mut sink = start(address, dir.path());
    sink.deliver(window(4)).unwrap();
    let (_runtime, _, received) = serve(address);
    assert_eq!(receive(&received, 4), [1, 2, 3, 4]);
    drop(sink);
    assert_eq!(spooled(dir.path()), 0);
}

#[test]
fn a_server_that_refuses_the_token_is_tried_again_later() {
    let dir = tempfile::tempdir().unwrap();
    let (_runtime, address, received) = serve(nobody());
    let mut sink = start(address, dir.path());
    std::fs::write(dir.path().join("token"), "wrong").unwrap();
    sink.deliver(window(1)).unwrap();
    let reader = sink.reader();
    while reader.read().trouble.is_none() {
        std::thread::yield_now();
    }
    assert_eq!(reader.read().trouble.as_deref(), Some("no token"));
    std::fs::write(dir.path().join("token"), "secret").unwrap();
    assert_eq!(receive(&received, 1), [1]);
}

#[test]
fn a_request_that_is_damaged_on_disk_is_lost_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("spool")).unwrap();
    std::fs::write(dir.path().join("spool/00000000000000000007.otlp"), "damaged").unwrap();
    let (_runtime, address, received) = serve(nobody());
    let mut sink = start(address, dir.path());
    sink.deliver(window(8)).unwrap();
    assert_eq!(receive(&received, 1), [8]);
    let reader = sink.reader();
    drop(sink);
    assert_eq!(reader.read().dropped.values().sum::<u64>(), 1);
}

#[test]
fn what_cannot_work_is_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let good = OtlpConfig {
        url: "http://127.0.0.1:1".into(),
        token_file: None,
        spool_directory: dir.path().join("spool"),
        spool_bytes: 1,
    };
    for (config, reason) in [
        (OtlpConfig { url: "https://x".into(), ..good.clone() }, "TLS"),
        (OtlpConfig { token_file: Some("/no/token".into()), ..good.clone() }, "/no/token"),
        (OtlpConfig { spool_directory: "/proc/no".into(), ..good }, "/proc/no"),
    ] {
        let error = OtlpSink::start(&config).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
