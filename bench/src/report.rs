//! The table that a run prints.

use std::fmt;

/// One measured figure.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) measured: String,
    /// Empty if nothing was promised.
    pub(crate) bar: &'static str,
    pub(crate) holds: Option<bool>,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self { what: what.into(), measured: measured.into(), bar: "", holds: None }
    }

    pub(crate) fn against(self, bar: &'static str, holds: bool) -> Self {
        Self { bar, holds: Some(holds), ..self }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<(&'static str, Row)>,
}

impl Report {
    pub(crate) fn add(&mut self, figure: &'static str, rows: Vec<Row>) {
        self.rows.extend(rows.into_iter().map(|row| (figure, row)));
    }

    pub(crate) fn failed(&mut self, figure: &'static str) {
        self.rows.push((figure, Row::new(figure, "could not be measured")));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | measured | bar | | reproduce |\n| --- | --- | --- | --- | --- |")?;
        for (figure, Row { what, measured, bar, holds }) in &self.rows {
            let verdict = match holds {
                Some(true) => "holds",
                Some(false) => "MISSED",
                None => "",
            };
            let command = format!("`make bench FIGURES={figure}`");
            writeln!(f, "| {what} | {measured} | {bar} | {verdict} | {command} |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_bar_is_said_aloud() {
        let mut report = Report::default();
        report.add("cost", vec![Row::new("loss", "1.0 %").against("≤ 0.7 %", false)]);
        let text = report.to_string();
        assert!(
            text.contains("| loss | 1.0 % | ≤ 0.7 % | MISSED | `make bench FIGURES=cost` |"),
            "{text}"
        );
    }
}
