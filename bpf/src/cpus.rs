//! Which CPUs there are, as the kernel lists them.

use std::{fs, io, os::unix::fs::MetadataExt};

use crate::error::KernelError;

/// More than any kernel is built for (`NR_CPUS` is at most 8192).
const MOST_CPUS: u32 = 65_536;

/// The CPUs that are online now, ascending.
pub fn online_cpus() -> Result<Vec<u32>, KernelError> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").map_err(KernelError::Cpus)?;
    parse_cpu_list(text.trim())
        .ok_or_else(|| KernelError::Cpus(io::Error::other(format!("not a list of CPUs: {text:?}"))))
}

/// A CPU that is online.
///
/// When it goes offline the kernel takes its perf events out for good (`perf_event_exit_cpu` in `kernel/events/core.c`): they are
/// still there when it is back, and count nothing. It may be back before anybody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnlineCpu {
    pub(crate) number: u32,
    /// Another each time that it comes online; always 0 where that cannot be told.
    pub(crate) life: u64,
}

/// The CPUs that are online now, ascending. What is opened on one afterwards is of this life of it or a later one.
pub(crate) fn living_cpus() -> Result<Vec<OnlineCpu>, KernelError> {
    let living = |number| OnlineCpu { number, life: life_of(number) };
    Ok(online_cpus()?.into_iter().map(living).collect())
}

/// The folder is made when a CPU comes and removed when it goes (`drivers/base/topology.c`), and sysfs counts its inodes up. To
/// ask the CPU's events whether they count would interrupt it.
fn life_of(cpu: u32) -> u64 {
    let folder = fs::metadata(format!("/sys/devices/system/cpu/cpu{cpu}/topology"));
    folder.map_or(0, |folder| folder.ino())
}

/// CPUs that can ever be online: working memory is made for all of them.
pub(crate) fn possible_cpus() -> Result<u32, KernelError> {
    libbpf_rs::num_possible_cpus()
        .map(|count| count as u32)
        .map_err(|error| KernelError::Cpus(io::Error::other(error)))
}

/// `0-3,8,10-11` as the kernel writes it.
fn parse_cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last < first || last >= MOST_CPUS || cpus.len() > MOST_CPUS as usize {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_ranges_and_single_numbers() {
        for (text, cpus) in [
            ("0", Some(vec![0])),
            ("0-2,5", Some(vec![0, 1, 2, 5])),
            ("2,1-2", Some(vec![1, 2])),
            ("", Some(vec![])),
            ("2-1", None),
            ("x", None),
            ("-1", None),
            ("1-", None),
            ("0-4294967295", None),
            ("0-9999999", None),
        ] {
            assert_eq!(parse_cpu_list(text), cpus, "{text}");
        }
    }

    #[test]
    fn the_cpus_are_those_of_proc() {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap();
        let count = processors.lines().filter(|line| line.starts_with("processor\t")).count();
        let cpus = online_cpus().unwrap();
        assert_eq!(cpus.len(), count);
        assert!(cpus.iter().all(|cpu| *cpu < possible_cpus().unwrap()));
        let living = living_cpus().unwrap();
        assert!(living.iter().map(|cpu| cpu.number).eq(cpus));
        assert!(living.iter().all(|cpu| cpu.life != 0), "{living:?}");
    }
}
