//! What is said of one process: the language runtimes in it.

use std::fmt::Write;

use infrared_agent::RuntimeSeen;
use serde::Serialize;

#[derive(Serialize)]
struct Document {
    pid: u32,
    runtimes: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    image: String,
    is_followed: bool,
}

pub(super) fn json(pid: u32, seen: &[RuntimeSeen]) -> serde_json::Result<String> {
    let row = |runtime: &RuntimeSeen| Row {
        name: runtime.name.clone(),
        image: runtime.image.clone(),
        is_followed: runtime.is_followed,
    };
    let document = Document { pid, runtimes: seen.iter().map(row).collect() };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// A sentence each.
pub(super) fn sentences(pid: u32, seen: &[RuntimeSeen]) -> String {
    let mut text = String::new();
    for RuntimeSeen { name, image, is_followed } in seen {
        let what = if *is_followed {
            "its functions are shown, with files and lines"
        } else {
            "this version is not supported, or runs nothing yet: native code is shown, and where its functions run is one frame"
        };
        // Writing to a text does not fail.
        writeln!(text, "process {pid} runs {name} ({image}): {what}").unwrap_or_default();
    }
    if seen.is_empty() {
        text =
            format!("process {pid} runs native code alone: no language runtime was found in it\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_has_a_sentence_that_says_whether_its_functions_are_shown() {
        let seen = |name: &str, is_followed| RuntimeSeen {
            name: name.to_owned(),
            image: "/usr/bin/x".to_owned(),
            is_followed,
        };
        let text = sentences(7, &[seen("CPython 3.11", true), seen("CPython 3.15", false)]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0]
                .starts_with("process 7 runs CPython 3.11 (/usr/bin/x): its functions are shown")
        );
        assert!(lines[1].contains("CPython 3.15") && lines[1].contains("not supported"));
        assert!(sentences(7, &[]).contains("no language runtime"));
        assert!(json(7, &[seen("Go", true)]).unwrap().contains("\"is_followed\": true"));
    }
}
