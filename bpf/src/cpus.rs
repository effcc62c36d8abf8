//! Which CPUs there are, as the kernel lists them.

use std::{fs, io};

use crate::error::KernelError;

/// More than any kernel is built for (`NR_CPUS` is at most 8192).
const MOST_CPUS: u32 = 65_536;

/// The CPUs that are online now, ascending.
pub fn online_cpus() -> Result<Vec<u32>, KernelError> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").map_err(KernelError::Cpus)?;
    parse_cpu_list(text.trim())
        .ok_or_else(|| KernelError::Cpus(io::Error::other(format!("not a list of CPUs: {text:?}"))))
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
    }
}
