//! `infrared record` as a person or a script meets it: what it refuses and how it says so, and the command's own run.

use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};
use e2e::{Folded, Machine, Observed, built, copy_program, infrared_binary, scratch_dir};

/// Debian's `nobody`.
const NOBODY: u32 = 65534;

fn infrared(arguments: &[&str]) -> Command {
    let mut command = Command::new(infrared_binary().expect("the binary is built"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[track_caller]
fn assert_refused(mut command: Command, words: &[&str]) {
    let Output { status, stderr, .. } = command.output().expect("the binary runs");
    let said = String::from_utf8_lossy(&stderr).to_lowercase();
    assert!(!status.success(), "{command:?} was not refused:\n{said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(&word.to_lowercase()), "{command:?} does not say {word:?}:\n{said}");
    }
}

#[test]
fn a_process_that_does_not_exist_is_named_in_the_refusal() {
    assert_refused(infrared(&["record", "-p", "4194300", "-d", "1s", "-o", "-"]), &["4194300"]);
}

#[test]
fn a_frequency_out_of_range_is_refused() {
    for hz in ["0", "1000000", "-1"] {
        assert_refused(infrared(&["record", &format!("-F{hz}"), "-d", "1s", "-o", "-"]), &[hz]);
    }
}

#[test]
fn a_format_that_does_not_exist_is_refused() {
    assert_refused(
        infrared(&["record", "--format", "nonsense", "-o", "-"]),
        &["nonsense", "folded"],
    );
}

#[test]
fn an_output_that_cannot_be_written_is_refused() {
    let mut command = infrared(&["record", "-d", "1s", "--format", "folded"]);
    command.args(["-o", "/proc/no/such/folder/out.folded"]);
    assert_refused(command, &["/proc/no/such/folder/out.folded"]);
}

#[test]
fn without_privileges_it_says_which_are_missing_and_how_to_grant_them() {
    let dir = scratch_dir().expect("a scratch directory");
    let copy = dir.path().join("infrared");
    let binary = infrared_binary().expect("the binary is built");
    copy_program(&binary, &copy).expect("it can be copied");
    let mut command = Command::new(copy);
    command.uid(NOBODY).gid(NOBODY).args(["record", "-d", "1s", "--format", "folded", "-o", "-"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    assert_refused(command, &["CAP_BPF", "CAP_PERFMON", "setcap"]);
}

fn record_command(arguments: &[&str]) -> Result<Folded> {
    let _machine = Machine::reserve()?;
    let dir = scratch_dir()?;
    let file = dir.path().join("out.folded");
    let mut command = infrared(&["record", "-F", "499", "--format", "folded", "-o"]);
    command.arg(&file).arg("--").args(arguments);
    let output = command.output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(std::fs::read_to_string(file)?.parse()?)
}

#[test]
fn a_command_is_recorded_from_its_first_instruction_to_its_exit() -> Result<()> {
    let program = built("brief")?;
    let script = r#"for i in 1 2 3 4 5 6 7 8 9 10; do "$0"; done"#;
    let path = program.to_str().context("a path in UTF-8")?;
    let folded = record_command(&["sh", "-c", script, path])?;
    let observed = Observed::everything(&folded);
    let seconds = observed.samples() as f64 / 499.0;
    assert!(
        (0.27..0.6).contains(&seconds),
        "{seconds:.3} s of 0.3 s:\n{}",
        observed.examples(|_| true)
    );
    assert!(observed.rooted() >= 0.99, "{}", observed.examples(|stack| !stack.is_rooted()));
    assert!(observed.with("brief_burn").samples() * 10 >= observed.samples() * 8);
    Ok(())
}

#[test]
fn only_the_processes_asked_for_are_recorded() -> Result<()> {
    let program = built("brief")?;
    let path = program.to_str().context("a path in UTF-8")?;
    // The shell lives on: what its children are called is known even where they are gone before anyone can ask.
    let script = r#"for i in 1 2 3; do "$0"; done"#;
    let arguments = ["env", "OTEL_SERVICE_NAME=e2e-asked-for", "sh", "-c", script, path];
    let folded = record_command(&arguments)?;
    let observed = Observed::of(&folded, &["e2e-asked-for"]);
    // What becomes of the command before it is the program belongs to it as well.
    let others = Observed::everything(&folded).only(|stack| stack.service != "e2e-asked-for");
    assert!(observed.with("brief_burn").samples() >= 24, "{}", observed.examples(|_| true));
    assert!(others.samples() <= 2, "{}", others.examples(|_| true));
    Ok(())
}

#[test]
fn the_go_tool_opens_the_pprof_output() -> Result<()> {
    let _machine = Machine::reserve()?;
    let dir = scratch_dir()?;
    let file = dir.path().join("out.pb.gz");
    let mut command = infrared(&["record", "-F", "499", "--format", "pprof", "-o"]);
    let output = command.arg(&file).arg("--").arg(built("brief")?).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let top = Command::new("go").args(["tool", "pprof", "-top"]).arg(&file).output()?;
    let text = String::from_utf8_lossy(&top.stdout);
    assert!(top.status.success() && text.contains("brief_burn"), "{text}");
    Ok(())
}
