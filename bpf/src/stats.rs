//! The counters of the kernel side, summed over CPUs.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use infrared_abi::{IR_STAT_COUNT, STATS};
use libbpf_rs::{MapCore, MapHandle};
use rustix::mm::ProtFlags;
use rustix::param::page_size;

use crate::error::KernelError;
use crate::mapped::Mapped;

/// What the sampler itself has cost since loading: 0 unless the kernel counts it (`kernel.bpf_stats_enabled`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunTime {
    /// Nanoseconds, all CPUs together.
    pub ns: u64,
    pub runs: u64,
}

impl RunTime {
    /// Of the program behind a descriptor; since Linux 5.1.
    pub(crate) fn read(program: BorrowedFd<'_>) -> Self {
        let mut info = libbpf_sys::bpf_prog_info::default();
        let mut length = size_of_val(&info) as u32;
        // SAFETY: at most `length` bytes of `info` are written; the lengths of further buffers, which it could name, are 0.
        let failed = unsafe {
            libbpf_sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &raw mut info, &raw mut length)
        };
        if failed != 0 {
            return Self::default();
        }
        Self { ns: info.run_time_ns, runs: info.run_cnt }
    }
}

/// Where the kernel side counts: the first bytes of each CPU's working memory, which is much larger.
#[derive(Debug)]
pub(crate) struct Counters {
    of_cpus: Vec<Counted>,
}

/// The pages that one CPU's counters are in, and how far into them.
#[derive(Debug)]
struct Counted {
    pages: Mapped,
    /// In counters.
    at: usize,
}

impl Counters {
    /// `map` is an array, mappable, with an entry for each of `cpus` CPUs, which begins with its counters.
    pub(crate) fn map(map: &MapHandle, cpus: u32) -> Result<Self, KernelError> {
        // The kernel rounds entries of arrays up to 8 bytes (`array_map_alloc` in kernel/bpf/arraymap.c).
        let entry = (map.value_size() as usize).next_multiple_of(8);
        let page = page_size();
        let counters = IR_STAT_COUNT as usize * size_of::<u64>();
        let of_cpu = |cpu: u32| {
            let start = cpu as usize * entry;
            let (from, at) = (start / page * page, start % page);
            let length = (at + counters).next_multiple_of(page);
            let pages = Mapped::new("counters", map.as_fd(), ProtFlags::READ, (from, length))?;
            Ok(Counted { pages, at: at / size_of::<u64>() })
        };
        Ok(Self { of_cpus: (0..cpus).map(of_cpu).collect::<Result<_, KernelError>>()? })
    }

    /// The sums over all CPUs.
    pub(crate) fn read(&self) -> Stats {
        let mut stats = Stats::default();
        for Counted { pages, at } in &self.of_cpus {
            for (number, total) in stats.0.iter_mut().enumerate() {
                // SAFETY: all counters are in the mapped pages, and aligned there, as entries are. The kernel writes meanwhile.
                *total += unsafe { pages.start().cast::<u64>().add(at + number).read_volatile() };
            }
        }
        stats
    }
}

/// A reading of all counters since loading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats([u64; IR_STAT_COUNT as usize]);

impl Stats {
    /// The value of one counter, by its `IR_STAT_*` number.
    pub fn get(&self, stat: u32) -> u64 {
        self.0.get(stat as usize).copied().unwrap_or(0)
    }

    /// (name, help, value) of every counter.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        STATS.iter().zip(self.0).map(|((name, help), value)| (*name, *help, value))
    }
}
