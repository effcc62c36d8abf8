//! `openapi.json` is true: real answers are held against it.

use crate::schema::Document;
use crate::support::{shop, start};

/// What each endpoint needs beside the common parameters.
fn query_of(path: &str) -> &'static str {
    match path {
        "/api/v1/function" => "?name=main",
        "/api/v1/timeline" => "?by=service.name",
        "/api/v1/export" => "?format=json",
        _ => "",
    }
}

#[test]
fn every_json_answer_matches_its_schema() {
    let server = start();
    let document = Document::parse(&server.get("/api/v1/openapi.json").text());
    let mut checked = 0;
    for filled in [false, true] {
        if filled {
            shop(&server);
        }
        for (path, methods) in document.paths() {
            let content = &methods["get"]["responses"]["200"]["content"];
            if content["application/json"].is_null() || path == "/api/v1/events" {
                continue;
            }
            let schema = &content["application/json"]["schema"];
            let answer = server.get_as(&format!("{path}{}", query_of(path)), "application/json");
            if path == "/api/v1/function" && !filled {
                assert_eq!(answer.status, 404);
                continue;
            }
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            document.check(schema, &answer.json(), path);
            checked += 1;
        }
    }
    assert!(checked >= 15, "only {checked} answers were checked");
}

#[test]
fn errors_match_their_schema() {
    let server = start();
    let document = Document::parse(&server.get("/api/v1/openapi.json").text());
    for (path, methods) in document.paths() {
        let schema =
            &methods["get"]["responses"]["default"]["content"]["application/json"]["schema"];
        if schema.is_null() || path == "/api/v1/status" {
            continue;
        }
        let answer = server.get(&format!("{path}?nonsense=1"));
        assert_eq!(answer.status, 400, "{path}");
        document.check(schema, &answer.json(), path);
    }
}

#[test]
fn the_media_types_are_those_described() {
    let server = start();
    shop(&server);
    let document = Document::parse(&server.get("/api/v1/openapi.json").text());
    for (path, methods) in document.paths() {
        let content = methods["get"]["responses"]["200"]["content"].as_object();
        let Some(content) = content.filter(|_| path != "/api/v1/events") else { continue };
        let answer = server.get(&format!("{path}{}", query_of(path)));
        let kind = answer.header("content-type").split(';').next().unwrap_or("").to_owned();
        assert!(content.contains_key(&kind), "{path} answers {kind}");
    }
}
