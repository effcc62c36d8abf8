//! The command line as it is typed. What it means together is decided by the commands.

mod record;
mod service;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use record::{Event, NamesArg, RecordArgs, UnitArg};
pub(crate) use service::{AgentArgs, ServerArgs, UpArgs};
pub(crate) use values::{FREQUENCIES, LONGEST, duration, frequency};

/// Shows where the services of this machine spend their CPU time: down to the function, in user space and in the
/// kernel, in programs that know nothing of it.
#[derive(Debug, Parser)]
#[command(name = "infrared", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Log more on standard error; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Profile this machine and show it in the browser: agent, store, server and page in one process
    Up(UpArgs),
    /// Profile this machine and send the profiles to a server
    Agent(AgentArgs),
    /// Store what agents send, and show it in the browser
    Server(ServerArgs),
    /// Record a profile into a file, of the machine, of some processes or of a command
    Record(RecordArgs),
    /// Show services and functions by CPU, live in the terminal
    Top(TopArgs),
    /// Tell what this kernel, this machine and these privileges allow, what is missing, and how to get it
    Doctor(DoctorArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
}

/// The configuration file.
#[derive(Debug, Default, Args)]
pub(crate) struct ConfigArg {
    /// Settings in TOML; `infrared up --print-config` prints all of them. Options win over the file
    #[arg(long, value_name = "FILE", env = "INFRARED_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  infrared top                     live; q quits
  infrared top --once              one table of 2 s
  infrared top --once --json | jq '.services[0]'
  infrared top --interval 5s -n 40")]
pub(crate) struct TopArgs {
    /// How often the picture is renewed, and how much time it shows
    #[arg(long, default_value = "2s", value_parser = duration, value_name = "TIME")]
    pub(crate) interval: std::time::Duration,
    /// Samples a second of CPU time
    #[arg(short = 'F', long, default_value_t = 99, value_parser = frequency(), value_name = "HZ")]
    pub(crate) frequency: u32,
    /// Rows of each table without a terminal, and in JSON
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    pub(crate) rows: usize,
    /// Print one picture and exit
    #[arg(long)]
    pub(crate) once: bool,
    /// One JSON object a line instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave out what infrared itself burns
    #[arg(long)]
    pub(crate) exclude_self: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "The exit code is 1 if nothing can be recorded on this machine as this user.

Examples:
  sudo infrared doctor
  sudo infrared doctor --json | jq '.checks[] | select(.state != \"ok\")'
  sudo infrared doctor -p 1234"
)]
pub(crate) struct DoctorArgs {
    /// Say which language runtimes this process has, and whether their functions are shown
    #[arg(short, long, value_name = "PID")]
    pub(crate) pid: Option<u32>,

    /// JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  infrared completions bash > /etc/bash_completion.d/infrared
  infrared completions zsh > /usr/local/share/zsh/site-functions/_infrared")]
pub(crate) struct CompletionsArgs {
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            let examples = format!("infrared {}", command.get_name());
            assert!(
                help.contains("Examples:") && help.contains(&examples),
                "{}",
                command.get_name()
            );
        }
    }

    #[test]
    fn what_cannot_be_parsed_is_refused_with_its_reason() {
        for (line, reason) in [
            ("infrared record -F 0", "0 is not in 1..=10000"),
            ("infrared record -F 1000000", "1000000"),
            ("infrared record -F-1", "-1"),
            ("infrared record -d 0s", "longer than nothing"),
            ("infrared record -d fast", "fast"),
            ("infrared record --format nonsense", "folded"),
            ("infrared record -p 0", "0 is not in 1..="),
            ("infrared record -e cycles", "cpu"),
            ("infrared agent", "--server"),
            ("infrared server", "--store"),
            ("infrared up --listen nowhere", "nowhere"),
            ("infrared up --retention 5", "unit"),
        ] {
            let error = Cli::try_parse_from(line.split(' ')).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(reason), "{line}: {error}");
        }
    }

    #[test]
    fn a_usual_line_is_understood() {
        let line = "infrared record -p 1 -p 2 -d 1m30s -F 499 -o x.svg";
        let Command::Record(args) = Cli::try_parse_from(line.split(' ')).unwrap().command else {
            panic!("not record");
        };
        assert_eq!((args.pids, args.frequency), (vec![1, 2], 499));
        assert_eq!(args.duration, Some(std::time::Duration::from_secs(90)));
    }
}
