//! Opens files as a process sees them, by its root as we see it: for the naming thread, which must not wait for what a process
//! serves.

use std::{fs::File, io, path::Path};

use infrared_processes::{Error, Pid, ProcFs};

/// Opens the regular file at `path` below `root`, which is `/proc/PID/root` of a process or our own, unless a process serves it.
pub(crate) fn open_below(root: &Path, path: &Path) -> io::Result<File> {
    let pid = match root.strip_prefix("/proc") {
        Ok(of_process) => of_process
            .iter()
            .next()
            .and_then(|pid| pid.to_str()?.parse().ok())
            .ok_or(io::ErrorKind::InvalidInput)?,
        Err(_) => std::process::id(),
    };
    let process = ProcFs::system().process(Pid(pid)).map_err(into_io)?;
    process.open_in_root(path).map_err(into_io)
}

fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io { source, .. } => source,
        other => io::Error::other(other),
    }
}
