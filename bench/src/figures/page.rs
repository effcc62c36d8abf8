//! The page in Chromium: `npm run bench` in `web/`, which prints a line per figure: what, two spaces or more, how much.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::report::Row;

pub(crate) fn measure() -> Result<Vec<Row>> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web");
    let mut npm = Command::new("npm");
    let output = npm.current_dir(web).args(["run", "--silent", "bench"]).output();
    let output = output.context("cannot run npm")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows: Vec<Row> = text.lines().filter_map(row).collect();
    ensure!(!rows.is_empty(), "the page's benchmark says nothing:\n{text}");
    Ok(rows)
}

fn row(line: &str) -> Option<Row> {
    let (what, measured) = line.split_once("  ")?;
    let measured = measured.trim();
    let number: f64 = measured.split(' ').next()?.parse().ok()?;
    let row = Row::new(format!("page, 200,000 nodes: {what}"), measured);
    Some(if what.starts_with("page opened") {
        row.against("< 1 s", number < 1000.0)
    } else if what.contains("frames per second") {
        row.against("60 a second", number >= 59.0)
    } else {
        row
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_of_the_page_becomes_a_row() {
        let row = row("zooming with the wheel: frames per second (median)         60.0").unwrap();
        assert_eq!((row.measured.as_str(), row.holds), ("60.0", Some(true)));
    }

    #[test]
    fn other_lines_are_no_figures() {
        assert!(row("listening on a port").is_none() && row("  indented").is_none());
    }
}
