//! `infrared-bench [FIGURE…]`: measures what the README claims, and prints each figure with its bar and the command
//! that reproduces it. Nothing is asserted here: the exit code says whether all could be measured, not whether all hold.

mod figures;
mod load;
mod paired;
mod profile_json;
mod report;
mod run_time;
mod strangers;
mod switch;

use std::process::ExitCode;

use crate::figures::FIGURES;
use crate::report::Report;

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.iter().any(|name| name == "--help" || name == "-h") {
        return usage(ExitCode::SUCCESS);
    }
    let unknown = names.iter().find(|name| FIGURES.iter().all(|figure| figure.name != **name));
    if let Some(name) = unknown {
        eprintln!("there is no figure {name}");
        return usage(ExitCode::from(2));
    }
    let mut report = Report::default();
    let mut code = ExitCode::SUCCESS;
    for figure in FIGURES {
        if names.is_empty() || names.iter().any(|name| name == figure.name) {
            eprintln!("{}: {} …", figure.name, figure.about);
            match (figure.measure)() {
                Ok(rows) => report.add(figure.name, rows),
                Err(error) => {
                    eprintln!("{} could not be measured: {error:?}", figure.name);
                    report.failed(figure.name);
                    code = ExitCode::FAILURE;
                }
            }
        }
    }
    println!("{report}");
    code
}

fn usage(code: ExitCode) -> ExitCode {
    println!("usage: infrared-bench [FIGURE…]\n\nWithout a name, all of them:");
    for figure in FIGURES {
        println!("  {:<17} {}", figure.name, figure.about);
    }
    println!(
        "\nRun it as root on a machine that does nothing else. INFRARED_BIN names the binary to be measured."
    );
    code
}
