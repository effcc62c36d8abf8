//! Names of series labels as pprof users type them (`-tagfocus=service=shop`).

use crate::labels;

const SHORT: [(&str, &str); 6] = [
    (labels::SERVICE, "service"),
    (labels::HOST, "host"),
    (labels::PID, "pid"),
    (labels::THREAD_NAME, "thread"),
    (labels::EXECUTABLE, "executable"),
    (labels::CONTAINER_NAME, "container"),
];

/// The pprof label for a series label; labels without a short name keep theirs.
pub(super) fn short(label: &str) -> &str {
    SHORT.iter().find(|(long, _)| *long == label).map_or(label, |(_, short)| short)
}

/// The series label for a pprof label.
pub fn long(label: &str) -> &str {
    SHORT.iter().find(|(_, short)| *short == label).map_or(label, |(long, _)| long)
}
