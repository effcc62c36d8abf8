//! From arguments to a plan of the recording. Pure.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use super::Format;
use crate::args::{Event, NamesArg, RecordArgs, UnitArg};

/// How long a recording without a command and without `-d` lasts.
const USUAL_DURATION: Duration = Duration::from_secs(10);
const USUAL_OUTPUT: &str = "infrared.html";

/// Whom to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Machine,
    Processes(Vec<u32>),
    Cgroups(Vec<PathBuf>),
    /// A program and its arguments.
    Command(Vec<OsString>),
}

/// Where the profile goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    Stdout,
    File(PathBuf),
}

/// A recording, decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) subject: Subject,
    /// Only these services; all if empty.
    pub(super) services: Vec<String>,
    /// Only what has these values of labels: of one label any, of several all.
    pub(super) labels: Vec<(String, String)>,
    /// Labels whose values stand below the service.
    pub(super) by: Vec<String>,
    /// `None`: until the command ends.
    pub(super) duration: Option<Duration>,
    pub(super) frequency_hz: u32,
    pub(super) destination: Destination,
    pub(super) format: Format,
    pub(super) in_nanoseconds: bool,
    pub(super) has_short_names: bool,
    pub(super) exclude_self: bool,
    pub(super) stats: Option<PathBuf>,
}

impl Plan {
    /// The plan, or why the arguments make none.
    pub(super) fn resolve(args: RecordArgs) -> Result<Self, String> {
        let Event::Cpu = args.event;
        let subject = if !args.command.is_empty() {
            Subject::Command(args.command)
        } else if !args.pids.is_empty() {
            Subject::Processes(args.pids)
        } else if !args.cgroups.is_empty() {
            Subject::Cgroups(args.cgroups)
        } else {
            Subject::Machine
        };
        let is_command = matches!(subject, Subject::Command(_));
        let output = args.output.unwrap_or_else(|| USUAL_OUTPUT.into());
        let (destination, usual) = if output == Path::new("-") {
            (Destination::Stdout, Some(Format::Folded))
        } else {
            let usual = Format::of_file(&output);
            (Destination::File(output.clone()), usual)
        };
        let format = args.format.or(usual).ok_or_else(|| {
            let (name, endings) = (output.display(), Format::endings());
            format!("the ending of {name} names no format: give --format, or one of {endings}")
        })?;
        if args.unit.is_some() && format != Format::Folded {
            return Err("--unit is for folded stacks: the other formats carry their unit".into());
        }
        Ok(Self {
            subject,
            services: args.services,
            labels: args.labels.into_iter().map(|(name, value)| (long(&name), value)).collect(),
            by: args.by.iter().map(|name| long(name)).collect(),
            duration: args.duration.or((!is_command).then_some(USUAL_DURATION)),
            frequency_hz: args.frequency,
            destination,
            format,
            in_nanoseconds: args.unit == Some(UnitArg::Ns),
            has_short_names: args.names == NamesArg::Short,
            exclude_self: args.exclude_self,
            stats: args.stats,
        })
    }

    /// Whom it records, in words: `the whole machine`.
    pub(super) fn subject_text(&self) -> String {
        let subject = match &self.subject {
            Subject::Machine => "the whole machine".to_owned(),
            Subject::Processes(pids) if pids.len() == 1 => format!("process {}", pids[0]),
            Subject::Processes(pids) => {
                let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
                format!("processes {}", pids.join(", "))
            }
            Subject::Cgroups(paths) => {
                let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
                format!("cgroup {}", paths.join(", "))
            }
            Subject::Command(words) => {
                let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
                format!("`{}`", words.join(" "))
            }
        };
        match self.services.as_slice() {
            [] => subject,
            services if self.subject == Subject::Machine => {
                format!("service {}", services.join(", "))
            }
            services => format!("service {} in {subject}", services.join(", ")),
        }
    }
}

/// The label that is meant by a name: pprof's short ones are understood.
fn long(name: &str) -> String {
    infrared_profile::pprof::long_label(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn plan(line: &str) -> Result<Plan, String> {
        let line = format!("infrared record {line}");
        let Command::Record(args) = Cli::try_parse_from(line.split_whitespace()).unwrap().command
        else {
            panic!("not record");
        };
        Plan::resolve(args)
    }

    #[test]
    fn labels_go_by_their_short_names_too() {
        let plan = plan("--by thread --by host.name --label pid=7 --label thread=a=b").unwrap();
        assert_eq!(plan.by, ["thread.name", "host.name"]);
        let labels = [("process.pid", "7"), ("thread.name", "a=b")];
        assert_eq!(plan.labels, labels.map(|(n, v)| (n.to_owned(), v.to_owned())));
        for wrong in ["infrared record --label thread", "infrared record --label =x"] {
            assert!(Cli::try_parse_from(wrong.split_whitespace()).is_err());
        }
    }

    #[test]
    fn arguments_decide_format_place_and_length() {
        let file = |name: &str| Destination::File(name.into());
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (line, destination, format, duration) in [
            ("", file("infrared.html"), Format::Html, seconds(10)),
            ("-o -", Destination::Stdout, Format::Folded, seconds(10)),
            ("-o - --format json", Destination::Stdout, Format::Json, seconds(10)),
            ("-o x.svg -d 3s", file("x.svg"), Format::Svg, seconds(3)),
            ("-o x.svg --format pprof", file("x.svg"), Format::Pprof, seconds(10)),
            ("-o odd --format otlp", file("odd"), Format::Otlp, seconds(10)),
            ("-- sleep 1", file("infrared.html"), Format::Html, None),
            ("-d 1m -- sleep 1", file("infrared.html"), Format::Html, seconds(60)),
        ] {
            let plan = plan(line).unwrap();
            assert_eq!(
                (plan.destination, plan.format, plan.duration),
                (destination, format, duration)
            );
        }
    }

    #[test]
    fn what_makes_no_plan_says_why() {
        for (line, reason) in
            [("-o odd", "names no format"), ("-o x.svg --unit ns", "--unit is for folded stacks")]
        {
            assert!(plan(line).unwrap_err().contains(reason), "{line}");
        }
    }

    #[test]
    fn the_subject_is_told_in_words() {
        for (line, text) in [
            ("", "the whole machine"),
            ("-p 4", "process 4"),
            ("-p 4 -p 5", "processes 4, 5"),
            ("--service a --service b", "service a, b"),
            ("--service a -p 4", "service a in process 4"),
            ("-- sleep 1", "`sleep 1`"),
        ] {
            assert_eq!(plan(line).unwrap().subject_text(), text);
        }
    }
}
