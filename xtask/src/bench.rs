//! The measured figures: builds what is measured, then hands over to the bench package.

use anyhow::Result;

use crate::tree::Tree;
use crate::{build, command};

pub(crate) fn run(tree: &Tree, figures: &[String]) -> Result<()> {
    build::release(tree)?;
    build::install_web_dependencies(tree)?;
    let args = ["run", "--release", "--locked", "--quiet", "--package", "infrared-bench", "--"];
    command::run(tree.command("cargo", &args).args(figures))
}
