//! `/proc/PID/cmdline`: the arguments, or what the process has written over them.

use std::fmt;

use crate::{Error, ProcessDir};

/// Class paths and file lists can be long; what names a service stands in the first kilobytes.
const LONGEST: u64 = 256 * 1024;
const MOST_ARGUMENTS: usize = 4096;

/// The arguments. They may hold secrets: they are not shown by `Debug`, and nothing but the name of
/// the program and its script may leave the agent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Cmdline {
    pub arguments: Vec<String>,
    /// There were more than are kept.
    pub is_cut: bool,
}

impl fmt::Debug for Cmdline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Cmdline({} arguments)", self.arguments.len())
    }
}

impl Cmdline {
    /// From a list of arguments, as in tests and for a command that is about to be started.
    pub fn from_arguments<A: Into<String>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self { arguments: arguments.into_iter().map(Into::into).collect(), is_cut: false }
    }

    /// Programs that set a title write it over their arguments, and pad it with NULs or spaces.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let end = bytes.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |at| at + 1);
        if end == 0 {
            return Self::default();
        }
        let mut arguments: Vec<String> = bytes[..end]
            .split(|&byte| byte == 0)
            .take(MOST_ARGUMENTS + 1)
            .map(|argument| String::from_utf8_lossy(argument).into_owned())
            .collect();
        let is_cut = bytes.len() as u64 >= LONGEST || arguments.len() > MOST_ARGUMENTS;
        arguments.truncate(MOST_ARGUMENTS);
        Self { arguments, is_cut }
    }

    /// The arguments in one line, for rules that match it.
    pub fn joined(&self) -> String {
        self.arguments.join(" ")
    }
}

impl ProcessDir {
    /// The arguments; none for kernel threads and zombies.
    pub fn cmdline(&self) -> Result<Cmdline, Error> {
        Ok(Cmdline::parse(&self.read("cmdline", LONGEST)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_end_where_the_padding_begins() {
        let table: &[(&[u8], &[&str])] = &[
            (b"", &[]),
            (b"\0\0\0", &[]),
            (b"cat\0", &["cat"]),
            (b"cat", &["cat"]),
            (b"sh\0-c\0\0x y\0", &["sh", "-c", "", "x y"]),
            (b"nginx: worker process\0\0\0\0", &["nginx: worker process"]),
            (b"postgres: checkpointer      ", &["postgres: checkpointer"]),
            (b"\xff\xfe\0a", &["\u{fffd}\u{fffd}", "a"]),
        ];
        for (bytes, expected) in table {
            assert_eq!(Cmdline::parse(bytes).arguments, *expected);
        }
    }

    #[test]
    fn more_arguments_than_are_kept_are_cut_and_it_says_so() {
        let exact = Cmdline::parse(&b"a\0".repeat(MOST_ARGUMENTS));
        assert_eq!((exact.arguments.len(), exact.is_cut), (MOST_ARGUMENTS, false));
        let more = Cmdline::parse(&b"a\0".repeat(MOST_ARGUMENTS + 1));
        assert_eq!((more.arguments.len(), more.is_cut), (MOST_ARGUMENTS, true));
        assert!(Cmdline::parse(&vec![b'x'; LONGEST as usize]).is_cut);
    }

    #[test]
    fn secrets_are_not_shown() {
        let cmdline = Cmdline::from_arguments(["mysql", "--password=hunter2"]);
        assert!(!format!("{cmdline:?}").contains("hunter2"));
    }
}
