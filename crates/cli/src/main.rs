//! `infrared`, the one program: reads the command line, runs the command, and turns its end into an exit code.

mod agent;
mod args;
mod completions;
mod doctor;
mod failure;
mod logging;
mod privileges;
mod record;
mod server;
mod settings;
mod signals;
mod terminal;
mod top;
mod up;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;
use failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(cli.verbose);
    run(cli.command).unwrap_or_else(Failure::report)
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Up(args) => up::run(&args),
        Command::Agent(args) => agent::run(&args),
        Command::Server(args) => server::run(&args),
        Command::Record(args) => record::run(args),
        Command::Top(args) => top::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}
