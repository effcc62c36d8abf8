//! The picture of the README.

use anyhow::{Context, Result};

use crate::tree::Tree;
use crate::{build, command};

const URL: &str = "http://127.0.0.1:4747";
const PICTURE: &str = "docs/images/ui.png";

/// A picture of the `infrared up` that runs on this machine. `INFRARED_SERVICE` names the service that is shown.
pub(crate) fn run(tree: &Tree) -> Result<()> {
    build::install_web_dependencies(tree)?;
    std::fs::create_dir_all(tree.path("docs/images"))?;
    let mut command = tree.command("node", &["web/scripts/screenshot.mjs", URL, PICTURE]);
    if let Ok(service) = std::env::var("INFRARED_SERVICE") {
        command.args(["--service", &service]);
    }
    command::run(&mut command).with_context(|| format!("is infrared up running on {URL}?"))
}
