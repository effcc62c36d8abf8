//! `infrared record`.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::{
    ConfigArg,
    values::{duration, frequency, label, pid},
};
use crate::record::Format;

/// What is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Event {
    /// Time on a CPU
    Cpu,
}

/// What the counts of folded stacks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnitArg {
    Samples,
    Ns,
}

/// How functions are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NamesArg {
    Full,
    Short,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "Without -p, --cgroup or a command, everything on the machine is recorded.

Ctrl-C ends a recording and still writes it (exit code 0); a second Ctrl-C gives up.
With a command, the exit code is the command's: 128 + N if signal N ended it, 126 or 127 if it could not be run.
With both a command and -d, the command is sent SIGTERM when the time is up.

Examples:
  infrared record                              the whole machine for 10 s into infrared.html
  infrared record -d 1m -o cpu.pb.gz           for `go tool pprof`
  infrared record -p 4711 -d 30s -o api.svg    one process and the children that it will have
  infrared record --by thread -o threads.svg   each thread's stacks apart
  infrared record --service nginx -o - --format folded | sort -t' ' -k2 -n
  infrared record -F 999 -- ./program args     a command, from its first instruction to its exit"
)]
pub(crate) struct RecordArgs {
    /// Record this process and the children that it will have; repeatable
    #[arg(short, long = "pid", value_name = "PID", value_parser = pid())]
    pub(crate) pids: Vec<u32>,
    /// Record only this service, as `infrared top` names it; repeatable
    #[arg(long = "service", value_name = "NAME")]
    pub(crate) services: Vec<String>,
    /// Record only what has this value of a label (`thread=worker`, `pid=12`, `host.name=a`); repeatable: of one label any, of several all
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Tell stacks apart by this label: its values stand as frames below the service (`thread`, `pid`, `host.name`); repeatable
    #[arg(long, value_name = "LABEL")]
    pub(crate) by: Vec<String>,
    /// Record the processes in this cgroup (v2) and in those below it; repeatable
    #[arg(long = "cgroup", value_name = "PATH", conflicts_with = "pids")]
    pub(crate) cgroups: Vec<PathBuf>,
    /// How long: `10s`, `500ms`, `1h30m`. Default: 10s, or until the command ends
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Samples a second of CPU time, 1 to 10000
    #[arg(short = 'F', long, default_value_t = 99, value_name = "HZ", value_parser = frequency(), allow_negative_numbers = true)]
    pub(crate) frequency: u32,
    /// What is sampled
    #[arg(short, long, value_enum, default_value = "cpu")]
    pub(crate) event: Event,
    /// The file to write; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Default: by the ending of FILE (.folded .txt .pb.gz .pprof .svg .html .speedscope.json .json .otlp)
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Unit of the counts in folded stacks
    #[arg(long, value_enum)]
    pub(crate) unit: Option<UnitArg>,
    /// Names of functions: `short` is without packages, what templates are filled with, and arguments
    #[arg(long, value_enum, default_value = "full")]
    pub(crate) names: NamesArg,
    /// Leave out what infrared itself burns
    #[arg(long)]
    pub(crate) exclude_self: bool,
    /// Write what was counted during the recording to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) stats: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// The command to run and record
    #[arg(last = true, value_name = "CMD", conflicts_with_all = ["pids", "cgroups"])]
    pub(crate) command: Vec<OsString>,
}
