//! A process's address space, from `/proc/PID/maps`.

use std::fs;

/// A line of `/proc/PID/maps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) executable: bool,
    pub(crate) offset: u64,
    pub(crate) path: String,
}

/// All mappings of a process.
pub(crate) fn mappings_of(pid: u32) -> Vec<Mapping> {
    let text = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    text.lines().map(|line| parse_mapping(line).unwrap()).collect()
}

/// `start-end perms offset device inode path`
fn parse_mapping(line: &str) -> Option<Mapping> {
    let mut columns = line.split_ascii_whitespace();
    let (start, end) = columns.next()?.split_once('-')?;
    let permissions = columns.next()?;
    let offset = columns.next()?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    Some(Mapping {
        start: hex(start)?,
        end: hex(end)?,
        executable: permissions.contains('x'),
        offset: hex(offset)?,
        path: columns.nth(2).unwrap_or_default().to_owned(),
    })
}
