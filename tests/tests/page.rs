//! The page of `infrared up` in a real browser, over a program that knows what it burns.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Machine, Target, Up, built};

const SERVICE: &str = "page-subject";
/// Some short windows are then stored.
const WORK: Duration = Duration::from_secs(6);

/// What `web/scripts/visit.mjs` prints.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    functions: Vec<Function>,
    quality: Vec<String>,
    painted: bool,
    standalone_painted: bool,
    complaints: Vec<String>,
}

#[derive(Debug, serde::Deserialize)]
struct Function {
    name: String,
    #[serde(rename = "self")]
    own: String,
}

fn visit(url: &str) -> Result<Seen> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web");
    let output =
        Command::new("node").current_dir(web).args(["scripts/visit.mjs", url, SERVICE]).output();
    let output = output.context("cannot run node")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the visit's report")
}

#[test]
fn a_service_is_found_with_its_functions_and_its_flame_graph() -> Result<()> {
    let _machine = Machine::reserve()?;
    let up = Up::start()?;
    let mut command = Command::new(built("shares-c")?);
    command.args(["--seconds", &WORK.as_secs().to_string()]).env("OTEL_SERVICE_NAME", SERVICE);
    let mut target = Target::start(command)?;
    target.release()?;
    let truth = target.truth(WORK)?;
    let seen = visit(&up.url())?;
    assert!(seen.painted && seen.standalone_painted && seen.complaints.is_empty(), "{seen:?}");
    assert!(seen.quality.iter().any(|text| text.contains("Lost")), "{:?}", seen.quality);
    // The table is sorted by self time: the program's own leaves lead it, the busiest first.
    let mut leaves: Vec<_> = truth.cpu_ns.iter().map(|(name, ns)| (*ns, name.as_str())).collect();
    leaves.sort_unstable_by(|one, other| other.cmp(one));
    let busiest = seen.functions.first().context("an empty table")?;
    assert!(busiest.name.starts_with(leaves[0].1), "{busiest:?}, but {leaves:?}");
    for (_, leaf) in &leaves {
        let row = seen.functions.iter().find(|row| row.name.starts_with(leaf));
        assert!(row.is_some_and(|row| !row.own.is_empty()), "{leaf} is missing: {seen:?}");
    }
    Ok(())
}
