//! What the endpoints answer.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use infrared_profile::tree::encode;
use infrared_server::{BindError, Server};
use infrared_store::{EmbeddedStore, Options};

use crate::support::{Unwell, config, exchange, now_ms, shop, start, start_beside, window};

fn near(value: &serde_json::Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|v| (v - expected).abs() < 1e-3)
}

#[test]
fn services_are_listed_by_cpu() {
    let server = start();
    shop(&server);
    let answer = server.json("/api/v1/services");
    let services = answer["services"].as_array().expect("services");
    let names: Vec<_> = services.iter().map(|s| s["service"].as_str().expect("name")).collect();
    assert_eq!(names, ["shop", "db", "infrared"]);
    let shop = &services[0];
    // 1000 samples × 10 ms in 20 s are half a core.
    assert!(near(&shop["cpu"], 0.5) && near(&shop["cpu_now"], 0.5), "{shop}");
    assert!(near(&answer["total_cpu"], 0.61), "{answer}");
    assert_eq!(shop["samples"], 1000);
    assert_eq!((&shop["processes"], &shop["hosts"]), (&2.into(), &1.into()));
    assert!(near(&shop["truncated_share"], 0.1) && near(&shop["unnamed_share"], 0.1), "{shop}");
    assert_eq!(shop["kinds"], serde_json::json!({"kernel": 600, "native": 400}));
    assert_eq!(services[2]["is_self"], true);
    let guessed: Vec<_> = services.iter().map(|service| &service["guessed_share"]).collect();
    assert_eq!(guessed, [0.0, 0.0, 1.0]);
    let spark = shop["spark"]["cpu"].as_array().expect("spark");
    assert!(spark.iter().any(serde_json::Value::is_null), "no data before the first window");
    assert!(spark.iter().any(|v| near(v, 0.5)), "{spark:?}");
    let without = server.json("/api/v1/services?exclude_self=true");
    assert_eq!(without["services"].as_array().expect("services").len(), 2);
}

#[test]
fn a_timeline_splits_by_label_and_leaves_gaps_null() {
    let server = start();
    let from = shop(&server) / 1000 * 1000;
    let range = format!("from={}&to={}", from - 10_000, from + 30_000);
    let line = server.json(&format!("/api/v1/timeline?{range}&step=1000&service=shop"));
    assert_eq!(line["series"][0]["labels"], serde_json::json!({}));
    let cpu = line["series"][0]["cpu"].as_array().expect("cpu");
    assert_eq!(cpu.len(), 40);
    assert!(cpu[0].is_null() && cpu[39].is_null());
    assert!(near(&cpu[15], 0.5) && near(&cpu[25], 0.5), "{cpu:?}");
    let split = server.json(&format!("/api/v1/timeline?{range}&step=20000&by=process.pid"));
    let pids: Vec<_> = split["series"]
        .as_array()
        .expect("series")
        .iter()
        .map(|s| &s["labels"]["process.pid"])
        .collect();
    assert_eq!(pids, ["1", "2", "3", "4"]);
}

#[test]
fn a_tree_holds_every_sample() {
    let server = start();
    shop(&server);
    for (query, total, first_kind) in [
        ("", 1220, "group"),
        ("?service=shop", 1000, "native"),
        ("?service=shop&service=db", 1200, "group"),
        ("?service=shop&label.process.pid=2", 400, "native"),
        ("?by=process.pid&label.process.pid=3", 200, "group"),
        ("?service=nobody", 0, ""),
    ] {
        let answer = server.get(&format!("/api/v1/tree{query}"));
        assert_eq!(answer.header("content-type"), "application/vnd.infrared.tree");
        let tree = encode::decode(&answer.body).expect("a tree");
        assert_eq!(tree.total(), total, "{query}");
        assert_eq!(tree.self_values().iter().sum::<u64>(), total, "{query}");
        let json = server.json(&format!("/api/v1/tree{query}"));
        assert_eq!(json["total"], total);
        let second = &json["nodes"]["frame"][1];
        let kind = second
            .as_u64()
            .map_or("", |i| json["frames"][i as usize]["kind"].as_str().expect("kind"));
        assert_eq!(kind, first_kind, "{query}");
    }
}

#[test]
fn functions_have_shares_and_intervals() {
    let server = start();
    shop(&server);
    let answer = server.json("/api/v1/functions?service=shop&limit=2");
    assert_eq!((&answer["total"], &answer["count"]), (&1000.into(), &4.into()));
    let functions = answer["functions"].as_array().expect("functions");
    assert_eq!(functions.len(), 2);
    assert_eq!(functions[0]["function"], "sys_write");
    assert!(near(&functions[0]["self_share"], 0.6));
    let [low, high] = [0, 1].map(|i| functions[0]["self_ci"][i].as_f64().expect("a number"));
    assert!(0.55 < low && low < 0.6 && 0.6 < high && high < 0.65);
    let around = server.json("/api/v1/function?service=shop&name=pay");
    assert_eq!((&around["self"], &around["total"]), (&300.into(), &900.into()));
    assert_eq!(server.get("/api/v1/function?name=nothing").status, 404);
    assert_eq!(server.get("/api/v1/function").status, 400);
}

#[test]
fn quality_says_what_is_lacking() {
    let server = start();
    shop(&server);
    let quality = server.json("/api/v1/quality?service=shop");
    assert_eq!(quality["samples_taken"], 1000);
    assert_eq!(quality["samples_lost"], serde_json::json!({"ring_full": 10}));
    assert_eq!(quality["truncated"], serde_json::json!({"no table": 100}));
    assert_eq!(quality["unnamed_frames"], 100);
    assert!(near(&quality["rooted_share"], 0.9), "{quality}");
}

#[test]
fn labels_offer_what_the_selection_has() {
    let server = start();
    shop(&server);
    let answer = server.json("/api/v1/labels?service=shop");
    let labels = answer["labels"].as_array().expect("labels");
    let pids = labels.iter().find(|l| l["name"] == "process.pid").expect("pids");
    assert_eq!(pids["values"][0]["value"], "1");
    assert!(near(&pids["values"][0]["cpu"], 0.3), "{pids}");
}

#[test]
fn every_export_is_a_download_with_all_samples() {
    let server = start();
    shop(&server);
    for (format, kind, content) in [
        ("folded", "text/plain; charset=utf-8", "shop;main;pay;sys_write_[k] 600\n"),
        ("speedscope", "application/json", "speedscope"),
        ("svg", "image/svg+xml", "<svg"),
        ("json", "application/json", "sys_write"),
    ] {
        let answer = server.get(&format!("/api/v1/export?format={format}"));
        assert_eq!((answer.status, answer.header("content-type")), (200, kind));
        assert!(
            answer.header("content-disposition").starts_with("attachment; filename=\"infrared-")
        );
        assert!(answer.text().contains(content), "{format}: {}", answer.text());
    }
    let long = [("shop", 7, &["main", "mall::shop::pay(int)"][..], 9)];
    server.ingest.write(vec![window(now_ms() - 5_000, 1_000, &long)]).expect("write");
    for (names, content) in [
        ("", "mall::shop::pay(int)"),
        ("&names=full", "mall::shop::pay(int)"),
        ("&names=short", "shop::pay"),
    ] {
        for (format, before, after) in
            [("folded", ";", " 9\n"), ("json", "\"", "\""), ("speedscope", "\"", "\"")]
        {
            let answer = server.get(&format!("/api/v1/export?format={format}{names}"));
            let content = format!("{before}{content}{after}");
            assert!(answer.text().contains(&content), "{format}{names}: {}", answer.text());
        }
    }
    assert_eq!(server.get("/api/v1/export?format=folded&names=long").status, 400);
    let pprof = server.get("/api/v1/export?format=pprof&service=shop");
    let limits = infrared_profile::pprof::ReadLimits::default();
    let profiles = infrared_profile::pprof::read(&pprof.body, &limits).expect("pprof");
    assert_eq!(profiles[0].total(), 1009);
    let html = server.get("/api/v1/export?format=html");
    let expected = if infrared_server::viewer_js().is_some() { 200 } else { 503 };
    assert_eq!(html.status, expected);
    let hostile = server.get("/api/v1/export?format=folded&service=%22%0d%0aSet-Cookie:%20x");
    assert_eq!((hostile.status, hostile.header("set-cookie")), (200, ""));
    assert_eq!(server.get("/api/v1/export?format=doc").status, 400);
}

#[test]
fn bad_parameters_are_refused_in_words() {
    let server = start();
    for query in [
        "services?servce=shop",
        "services?from=yesterday",
        "services?from=now&to=-5m",
        "timeline?step=5",
        "timeline?from=-4w&step=1000",
        "timeline?step=999999999999999999999",
        "functions?limit=0",
        "tree?type=heap",
    ] {
        let answer = server.get(&format!("/api/v1/{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()["error"]["code"], "invalid_argument", "{query}");
    }
    let answer = server.get("/api/v1/nothing");
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &"not_found".into()));
}

#[test]
fn an_empty_store_gives_empty_answers() {
    let server = start();
    assert_eq!(server.json("/api/v1/services")["services"], serde_json::json!([]));
    let status = server.json("/api/v1/status");
    assert!(status["data"]["from_ms"].is_null());
    assert_eq!(status["agent"]["warnings"][0], "no PMU");
    let quality = server.json("/api/v1/quality");
    assert!(near(&quality["rooted_share"], 1.0));
    assert_eq!(encode::decode(&server.get("/api/v1/tree").body).expect("a tree").total(), 0);
}

#[test]
fn metrics_are_openmetrics_with_those_of_the_agent() {
    let server = start();
    shop(&server);
    let answer = server.get("/metrics");
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"));
    assert!(text.contains("infrared_agent_test_total 7\n"));
    assert!(text.contains("infrared_server_ingest_profiles_total 4\n"), "{text}");
    // Not what is counted beside them.
    assert!(text.contains("infrared_server_ingest_samples_total 1220\n"), "{text}");
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let (_, value) = line.split_once(' ').expect("a name and a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn the_ui_is_served_with_a_policy_or_says_how_to_build_it() {
    let server = start();
    for path in ["/", "/services/shop", "/index.html"] {
        let answer = server.get(path);
        if answer.status == 503 {
            assert!(answer.text().contains("run make web"));
            continue;
        }
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-cache"));
        assert!(answer.header("content-security-policy").contains("script-src 'self'"));
        assert!(answer.text().contains("<html"));
    }
    assert_eq!(server.get("/assets/missing.js").status, 404);
}

#[test]
fn a_foreign_host_name_is_refused() {
    let server = start();
    for (host, status) in [
        ("evil.example", "421"),
        ("evil.example:4747", "421"),
        ("localhost:1", "200"),
        ("127.0.0.1", "200"),
    ] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = exchange(server.raw(), request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {answer}");
        assert!(!answer.to_lowercase().contains("access-control"), "{answer}");
    }
    let answer = exchange(server.raw(), b"GET /healthz HTTP/1.0\r\n\r\n");
    assert!(answer.contains(" 421"), "without a name: {answer}");
}

#[test]
fn the_health_is_that_of_the_agent_beside_it() {
    assert_eq!(start().get("/healthz").text(), "ok\n");
    let server = start_beside(config(), Arc::new(Unwell));
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = exchange(server.raw(), request);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(
        answer.ends_with("the thread ir-driver has been busy with one thing for 12 s\n"),
        "{answer}"
    );
}

#[test]
fn large_answers_are_compressed_on_request() {
    let server = start();
    shop(&server);
    let request = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
    let answer = exchange(server.raw(), request.as_bytes());
    assert!(answer.to_lowercase().contains("content-encoding: gzip"), "{answer}");
}

#[test]
fn a_taken_port_is_named() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Arc::new(EmbeddedStore::open(dir.path(), Options::default()).expect("a store"));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address");
    for which in 0..3 {
        let mut config = config();
        match which {
            0 => config.listen = addr,
            1 => config.otlp_grpc = Some(addr),
            _ => config.otlp_http = Some(addr),
        }
        match Server::bind(config, store.clone()) {
            Err(BindError::PortTaken { addr: named, .. }) => assert_eq!(named, addr),
            other => panic!("{other:?}"),
        }
    }
    let mut config = config();
    config.listen = SocketAddr::from(([203, 0, 113, 1], 0));
    assert!(matches!(Server::bind(config, store), Err(BindError::NotLocal { .. })));
}
