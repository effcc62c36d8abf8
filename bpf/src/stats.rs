//! The counters of the kernel side, summed over CPUs.

use std::os::fd::{AsRawFd, BorrowedFd};

use infrared_abi::{IR_STAT_COUNT, STATS};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

/// What the sampler itself has cost since loading: 0 unless the kernel counts it (`kernel.bpf_stats_enabled`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunTime {
    /// Nanoseconds, all CPUs together.
    pub ns: u64,
    pub runs: u64,
}

impl RunTime {
    /// Of the program behind a descriptor of ours, from `fdinfo` (proc(5)); since Linux 5.1.
    pub(crate) fn read(program: BorrowedFd<'_>) -> Self {
        let path = format!("/proc/self/fdinfo/{}", program.as_raw_fd());
        Self::parse(&std::fs::read_to_string(path).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
        };
        Self { ns: field("run_time_ns"), runs: field("run_cnt") }
    }
}

/// A reading of all counters since loading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats([u64; IR_STAT_COUNT as usize]);

impl Stats {
    /// `map` has an entry for each of `cpus` CPUs, which begins with its counters.
    pub(crate) fn read(map: &MapHandle, cpus: u32) -> Self {
        let mut stats = Self::default();
        for cpu in 0..cpus {
            let entry = map.lookup(&cpu.to_ne_bytes(), MapFlags::ANY);
            let entry = entry.ok().flatten().unwrap_or_default();
            for (total, counter) in stats.0.iter_mut().zip(entry.chunks_exact(size_of::<u64>())) {
                *total += infrared_abi::read::<u64>(counter).unwrap_or(0);
            }
        }
        stats
    }

    /// The value of one counter, by its `IR_STAT_*` number.
    pub fn get(&self, stat: u32) -> u64 {
        self.0.get(stat as usize).copied().unwrap_or(0)
    }

    /// (name, help, value) of every counter.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        STATS.iter().zip(self.0).map(|((name, help), value)| (*name, *help, value))
    }
}

#[cfg(test)]
mod tests {
    use super::RunTime;

    #[test]
    fn run_time_is_read_from_fdinfo() {
        let text =
            "pos:\t0\nprog_type:\t7\nrun_time_ns:\t123456\nrun_cnt:\t78\nverified_insns:\t9\n";
        assert_eq!(RunTime::parse(text), RunTime { ns: 123_456, runs: 78 });
        assert_eq!(RunTime::parse(""), RunTime::default());
    }
}
