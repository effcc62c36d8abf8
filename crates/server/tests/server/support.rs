//! A running server, profiles to put into it, and clients.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use infrared_profile::{Builder, FrameKind, Location, Profile, Series, ValueType, labels};
use infrared_server::{
    AgentLoss, AgentStatus, AgentThread, Ingest, LocalAddrs, MetricsSource, Server, ServerConfig,
    StatusSource,
};
use infrared_store::{EmbeddedStore, Options, ProfileStore};
use tokio::sync::oneshot;

pub(crate) const PERIOD_NS: u64 = 10_000_000;

pub(crate) struct Running {
    pub(crate) addrs: LocalAddrs,
    pub(crate) ingest: Ingest,
    pub(crate) store: Arc<dyn ProfileStore>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

struct Agent;

impl StatusSource for Agent {
    fn agent(&self) -> AgentStatus {
        let loss = AgentLoss { name: "refused_images".into(), count: 3, help: "files".into() };
        let thread =
            AgentThread { name: "ir-driver".into(), state: "running".into(), caught_panics: 0 };
        AgentStatus {
            hz: 100,
            event: "cpu-clock".into(),
            warnings: vec!["no PMU".into()],
            losses: vec![loss],
            threads: vec![thread],
        }
    }

    fn complaints(&self) -> Vec<String> {
        Vec::new()
    }
}

/// An agent that is not well.
pub(crate) struct Unwell;

impl StatusSource for Unwell {
    fn agent(&self) -> AgentStatus {
        AgentStatus::default()
    }

    fn complaints(&self) -> Vec<String> {
        vec!["the thread ir-driver has been busy with one thing for 12 s".into()]
    }
}

impl MetricsSource for Agent {
    fn render(&self, out: &mut String) {
        out.push_str("# TYPE infrared_agent_test counter\ninfrared_agent_test_total 7\n");
    }
}

/// Ports of the kernel's choice.
pub(crate) fn config() -> ServerConfig {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    ServerConfig {
        listen: any,
        otlp_grpc: Some(any),
        otlp_http: Some(any),
        ..ServerConfig::default()
    }
}

pub(crate) fn start() -> Running {
    start_with(config())
}

pub(crate) fn start_with(config: ServerConfig) -> Running {
    start_beside(config, Arc::new(Agent))
}

pub(crate) fn start_beside(config: ServerConfig, agent: Arc<dyn StatusSource>) -> Running {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let options = Options { background: false, ..Options::default() };
    let store: Arc<dyn ProfileStore> =
        Arc::new(EmbeddedStore::open(dir.path(), options).expect("a store"));
    let bound = Server::bind(config, Arc::clone(&store)).expect("ports");
    let bound = bound.with_status(agent).with_metrics(Arc::new(Agent));
    let (addrs, ingest) = (bound.local_addrs(), bound.ingest());
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("server".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let shutdown = async { drop(stopped.await) };
        runtime.expect("a runtime").block_on(bound.serve(shutdown)).expect("serve");
    });
    let thread = Some(thread.expect("a thread"));
    Running { addrs, ingest, store, stop: Some(stop), thread, _dir: dir }
}

impl Running {
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server stopped cleanly");
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addrs.ui)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_as(path, "*/*")
    }

    pub(crate) fn get_as(&self, path: &str, accept: &str) -> Answer {
        let mut response =
            client().get(self.url(path)).header("accept", accept).call().expect("an answer");
        let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().expect("a body");
        Answer::new(&response, body)
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.get_as(path, "application/json");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.expect("the metric").parse().expect("a number")
    }

    /// A connection to the UI's port that speaks what the test wants.
    pub(crate) fn raw(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addrs.ui).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        stream
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(response: &ureq::http::Response<ureq::Body>, body: Vec<u8>) -> Self {
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or("").to_owned();
        let headers = response.headers().iter().map(|(n, v)| (n.to_string(), text(v))).collect();
        Self { status: response.status().as_u16(), headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

pub(crate) fn client() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(Duration::from_mins(1))).build().into()
}

pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis() as i64
}

/// One row: service, pid, frames root first, value.
pub(crate) type Row<'r> = (&'r str, u32, &'r [&'r str], u64);

/// A window of `duration_ms`. Frames that start with `sys_` are the kernel's, `?` means unnamed, `~` guessed, `!` a reason
/// to stop.
pub(crate) fn window(start_ms: i64, duration_ms: u64, rows: &[Row<'_>]) -> Profile {
    let from_ns = start_ms as u64 * 1_000_000;
    let mut builder = Builder::new(ValueType::cpu_samples(), from_ns, PERIOD_NS);
    for (service, pid, frames, value) in rows {
        let series = builder.series(Series::from([
            (labels::SERVICE.to_owned(), (*service).to_owned()),
            (labels::PID.to_owned(), pid.to_string()),
            (labels::HOST.to_owned(), "box".to_owned()),
            (labels::SELF.to_owned(), (*service == "infrared").to_string()),
        ]));
        let mut stack = Vec::new();
        for name in frames.iter().rev() {
            stack.push(match name.strip_prefix('!') {
                Some(reason) => builder.truncated(reason),
                None => frame(&mut builder, name),
            });
        }
        let stack = builder.stack(&stack);
        builder.add(series, stack, *value);
    }
    builder.finish(duration_ms * 1_000_000)
}

fn frame(builder: &mut Builder, name: &str) -> infrared_profile::LocationId {
    let low_confidence = name.starts_with('~');
    let name = name.trim_start_matches('~');
    let module = Some(builder.module("/usr/bin/shop", "c0ffee"));
    let lines = vec![builder.line(name, "", "", 0)];
    let kind = if name.starts_with("sys_") { FrameKind::Kernel } else { FrameKind::Native };
    let unnamed = name.starts_with('?');
    let address = name.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31) + u64::from(byte));
    builder.location(Location { kind, module, address, lines, unnamed, low_confidence })
}

/// The profiler's counters over a window.
pub(crate) fn events(start_ms: i64, counters: &[(&str, u64)]) -> Profile {
    let mut builder = Builder::new(ValueType::events(), start_ms as u64 * 1_000_000, 0);
    let series = Series::from([(labels::HOST.to_owned(), "box".to_owned())]);
    let series = builder.series(series);
    for (name, value) in counters {
        let location = builder.event(name);
        let stack = builder.stack(&[location]);
        builder.add(series, stack, *value);
    }
    builder.finish(10_000_000_000)
}

/// Two services over the last 20 s, in two windows.
pub(crate) fn shop(server: &Running) -> i64 {
    let start = now_ms() - 21_000;
    for offset in [0, 10_000] {
        let rows: &[Row<'_>] = &[
            ("shop", 1, &["main", "pay", "sys_write"], 300),
            ("shop", 2, &["main", "pay"], 150),
            ("shop", 2, &["!no table", "?libx.so+0x10"], 50),
            ("db", 3, &["main", "scan"], 100),
            ("infrared", 4, &["main", "~unwind"], 10),
        ];
        let lost = [("samples_taken", 615), ("samples_lost_ring_full", 5), ("stacks_sent", 9)];
        let profiles = vec![window(start + offset, 10_000, rows), events(start + offset, &lost)];
        let ingested = server.ingest.write(profiles).expect("write");
        assert_eq!(ingested.stored, 2);
    }
    start
}

/// Sends `request` as it is and reads until the server closes.
pub(crate) fn exchange(mut stream: TcpStream, request: &[u8]) -> String {
    stream.write_all(request).expect("send");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}
