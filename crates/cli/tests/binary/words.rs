//! What is refused, and in which words; and what needs no sampling.

use std::{fs, net::TcpListener};

use crate::support::{assert_says, run};

#[test]
fn arguments_that_make_no_sense_are_usage_errors() {
    for (arguments, word) in [
        (&["record", "-o", "odd"][..], "names no format"),
        (&["record", "-o", "x.svg", "--unit", "ns"], "folded stacks"),
        (&["record", "-p", "1", "--", "true"], "cannot be used with"),
        (&["top"], "a live view needs a terminal"),
        (&["nonsense"], "nonsense"),
    ] {
        assert_says(arguments, 2, &[word]);
    }
}

#[test]
fn a_port_that_is_taken_is_told_with_its_holder() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (address_text, dir) = (address.to_string(), dir.path().to_str().unwrap());
    let comm = fs::read_to_string("/proc/self/comm").unwrap();
    let sentence = format!(
        "port {} is taken by {} (pid {})",
        address.port(),
        comm.trim_end(),
        std::process::id()
    );
    for arguments in [
        &["server", "--listen", &address_text, "--store", dir][..],
        &["up", "--listen", &address_text, "--data", dir],
    ] {
        assert_says(arguments, 1, &[&sentence]);
    }
}

#[test]
fn a_data_directory_that_cannot_be_used_is_told_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = dir.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter.txt"), "dear all").unwrap();
    let newer = dir.path().join("newer");
    fs::create_dir(&newer).unwrap();
    fs::write(newer.join("FORMAT"), "infrared-store 999\n").unwrap();
    for (path, word) in [
        ("/proc/no/such", "not writable"),
        (foreign.to_str().unwrap(), "is not an infrared data directory"),
        (newer.to_str().unwrap(), "newer"),
    ] {
        assert_says(&["server", "--listen", "127.0.0.1:0", "--store", path], 1, &[word, path]);
    }
    assert_says(&["server", "--store", "clickhouse://x"], 1, &["no clickhouse store"]);
}

#[test]
fn a_configuration_that_is_wrong_is_told_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("infrared.toml");
    fs::write(&file, "frequency = 99\nfrequencies = 3\n").unwrap();
    let path = file.to_str().unwrap();
    assert_says(&["up", "--config", path], 1, &[path, "frequencies"]);
    assert_says(&["up", "--config", "/no/such.toml"], 1, &["/no/such.toml"]);
}

#[test]
fn the_printed_configuration_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("infrared.toml");
    let printed = run(&["up", "-F", "499", "--retention", "36h", "--print-config"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert!(printed.stdout.contains("frequency = 499"), "{}", printed.stdout);
    fs::write(&file, &printed.stdout).unwrap();
    let again = run(&["up", "--config", file.to_str().unwrap(), "--print-config"]);
    assert_eq!(again.stdout, printed.stdout);
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let said = run(&["completions", shell]);
        assert_eq!(said.code, Some(0), "{shell}");
        assert!(said.stdout.contains("doctor"), "{shell}: {}", said.stdout);
    }
}

#[test]
fn the_doctor_finds_that_this_machine_can_record() {
    let said = run(&["doctor", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((said.code, &document["can_record"]), (Some(0), &true.into()), "{document:#}");
    let checks = document["checks"].as_array().unwrap();
    for name in ["BTF", "sampling timer", "open files", "sampling rate", "mapped files", "CAP_BPF"]
    {
        assert!(checks.iter().any(|check| check["name"] == name), "{name}");
    }
    assert!(!run(&["doctor"]).stdout.contains('\u{1b}'), "no colours into a pipe");
}
