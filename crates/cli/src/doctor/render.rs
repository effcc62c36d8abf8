//! Verdicts as a table or as JSON.

use serde::Serialize;

use super::{
    facts::Facts,
    verdict::{State, Verdict},
};

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    host: &'a str,
    kernel: &'a str,
    can_record: bool,
    checks: &'a [Verdict],
}

pub(super) fn json(facts: &Facts, verdicts: &[Verdict]) -> serde_json::Result<String> {
    let document = Document {
        version: env!("CARGO_PKG_VERSION"),
        host: &facts.host.name,
        kernel: &facts.host.kernel_release,
        can_record: can_record(verdicts),
        checks: verdicts,
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn can_record(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| verdict.state != State::Impossible)
}

/// One line a verdict; below it what is lost and how to get it.
pub(super) fn table(facts: &Facts, verdicts: &[Verdict], colours: bool) -> String {
    let width = verdicts.iter().map(|verdict| verdict.name.len()).max().unwrap_or(0);
    let mut text = format!("infrared {} on {}\n\n", env!("CARGO_PKG_VERSION"), facts.host.name);
    for verdict in verdicts {
        let (word, colour) = match verdict.state {
            State::Ok => ("ok", "32"),
            State::Limited => ("missing", "33"),
            State::Impossible => ("MISSING", "31;1"),
        };
        let word = format!("{word:<7}");
        let word = if colours { format!("\u{1b}[{colour}m{word}\u{1b}[0m") } else { word };
        let Verdict { name, found, loss, remedy, .. } = verdict;
        text.extend([format!("{name:<width$}  {word}  {found}\n")]);
        for (label, words) in [("you lose:  ", loss), ("to get it: ", remedy)] {
            if !words.is_empty() {
                text.extend([format!("{:width$}           {label}{words}\n", "")]);
            }
        }
    }
    let missing = verdicts.iter().filter(|verdict| verdict.state != State::Ok).count();
    text.push_str(match (can_record(verdicts), missing) {
        (false, _) => "\nNothing can be recorded here as this user: see MISSING above.\n",
        (true, 0) => "\nEverything works.\n",
        (true, _) => "\nRecording works, with the losses above.\n",
    });
    text
}
