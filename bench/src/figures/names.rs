//! Names against `llvm-symbolizer`, over the addresses that a busy machine's samples have.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Builds, Machine, Recording, Request, ServerKind, scratch_dir};

use crate::profile_json::Profile;
use crate::report::Row;

const TIME: Duration = Duration::from_secs(15);

pub(crate) fn measure() -> Result<Vec<Row>> {
    let sampled = sample()?;
    let comparer = comparer()?;
    let mut sum = Compared::default();
    for (module, addresses) in &sampled {
        let found = compare(&comparer, module, addresses)
            .with_context(|| format!("cannot compare the names in {module}"))?;
        if found.different() > 0 {
            eprintln!("  {module}: {} names differ", found.different());
        }
        sum.addresses += found.addresses;
        sum.equal += found.equal;
        sum.ours_only += found.ours_only;
    }
    let comparable = sum.addresses - sum.ours_only;
    ensure!(comparable > 0, "no address of a file was sampled");
    let share = f64::from(sum.equal) / f64::from(comparable) * 100.0;
    let measured = format!("{share:.2} % of {comparable} addresses in {} modules", sampled.len());
    Ok(vec![
        Row::new("names equal to llvm-symbolizer's", measured).against("≥ 99.9 %", share >= 99.9),
        Row::new(
            "further addresses that only we name (stubs such as `malloc@plt`)",
            sum.ours_only.to_string(),
        ),
    ])
}

/// Counts of addresses.
#[derive(Clone, Copy, Debug, Default)]
struct Compared {
    addresses: u32,
    /// All names equal, inlined functions included, or unnamed by both.
    equal: u32,
    /// `llvm-symbolizer` says `??`.
    ours_only: u32,
}

impl Compared {
    fn different(self) -> u32 {
        self.addresses - self.equal - self.ours_only
    }
}

/// Module to the addresses that were seen in it.
fn sample() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let _machine = Machine::reserve()?;
    let dir = scratch_dir()?;
    let output = dir.path().join("profile.json");
    let servers = ServerKind::ALL.iter().map(|kind| kind.start()).collect::<Result<Vec<_>>>()?;
    let _loads = servers.iter().map(|server| server.load()).collect::<Result<Vec<_>>>()?;
    let _builds = Builds::start()?;
    let mut recording = Recording::start_as(Request::machine(499), "json", &output)?;
    recording.go_on_for(TIME)?;
    recording.interrupt()?;
    recording.ended()?;
    let mut sampled: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for frame in Profile::read(&output)?.frames {
        let native = frame.kind == "native" && !frame.address.is_empty();
        if native && Path::new(&frame.module).is_file() {
            sampled.entry(frame.module).or_default().insert(frame.address);
        }
    }
    Ok(sampled)
}

/// The symbolizer's own comparison program, built.
fn comparer() -> Result<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(&root).args(["build", "-q", "--release", "-p", "infrared-symbolize"]);
    let status = cargo.args(["--example", "compare_llvm"]).status()?;
    ensure!(status.success(), "the comparison does not build");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    Ok(target.join("release/examples/compare_llvm"))
}

/// Has the names of `addresses` compared.
fn compare(comparer: &Path, module: &str, addresses: &BTreeSet<String>) -> Result<Compared> {
    let mut command = Command::new(comparer);
    command.args([module, "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let lines = addresses.iter().map(String::as_str).collect::<Vec<_>>().join(
        "
",
    );
    let mut input = child.stdin.take().context("standard input is piped")?;
    let writer = std::thread::Builder::new()
        .name("addresses".into())
        .spawn(move || input.write_all(lines.as_bytes()))?;
    let output = child.wait_with_output()?;
    writer.join().ok().context("the writer does not panic")??;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |label: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(label));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).context(label.to_owned())
    };
    Ok(Compared {
        addresses: number("addresses")?,
        equal: number("equal names")?,
        ours_only: number("named by us only")?,
    })
}
