//! Process events: what perf tells beside samples (fork, exec, exit, executable mmap), from one ring a CPU.
//!
//! No kprobe and no tracepoint is needed, and a mapping is told with its file. Records wait in the rings until
//! someone asks: a process that is never sampled costs nothing more.

mod decode;
mod rings;

use std::os::fd::BorrowedFd;

use perf_event_open_sys::bindings;

use crate::{
    clock::monotonic_ns,
    cpus::OnlineCpu,
    error::KernelError,
    perf::{PerfRing, open_on_cpu},
};

use rings::Rings;

pub use decode::{SidebandEvent, SidebandRecord};

/// Pages of a CPU's ring: 512 KiB hold some five thousand records.
const RING_PAGES: usize = 128;
/// What the rings take of locked memory, of each CPU: a page of state goes with every ring.
pub const LOCKED_BYTES_PER_CPU: u64 = (RING_PAGES as u64 + 1) * 4096;
/// Waiting bytes that wake a poller.
const WAKE_BYTES: u32 = (RING_PAGES * 4096 / 2) as u32;

/// A record can be on its way into its ring for this long after it took its time.
const SETTLING_NS: u64 = 500_000;

/// The rings of all CPUs.
#[derive(Debug)]
pub struct Sideband {
    rings: Rings<PerfRing>,
    /// Records from after the horizon: another ring may still bring older ones.
    held_back: Vec<SidebandRecord>,
    horizon_ns: u64,
}

impl Sideband {
    /// Listens on the CPUs `online`. Fails only if none can be heard.
    pub(crate) fn open(online: &[OnlineCpu]) -> Result<Self, KernelError> {
        let mut sideband = Self { rings: Rings::default(), held_back: Vec::new(), horizon_ns: 0 };
        sideband.follow(online);
        match sideband.rings.refusal() {
            Some(error) => Err(error),
            None => Ok(sideband),
        }
    }

    /// Follows CPUs that came or went; those that failed are tried again. Returns whether others are heard than before.
    pub(crate) fn follow(&mut self, online: &[OnlineCpu]) -> bool {
        let (is_changed, losses) = self.rings.follow(online, monotonic_ns(), open_ring);
        self.held_back.extend(losses);
        is_changed
    }

    /// CPUs that are not heard, and why.
    pub(crate) fn failed(&self) -> Vec<(u32, String)> {
        let why = |error: &KernelError| match error {
            KernelError::Perf { source } => source.to_string(),
            other => other.to_string(),
        };
        self.rings.failed().iter().map(|(cpu, error)| (*cpu, why(error))).collect()
    }

    /// All records up to a new horizon, in order of time: a fork on one CPU comes before the exec of the child on
    /// another, however the rings were filled while they were read.
    pub fn drain(&mut self) -> Vec<SidebandRecord> {
        let horizon_ns = monotonic_ns().saturating_sub(SETTLING_NS);
        let mut records = std::mem::take(&mut self.held_back);
        for ring in &mut self.rings.each {
            let mut own = Vec::new();
            let was_full = ring.ring.drain(|bytes| own.extend(decode::decode(bytes)));
            records.extend(with_losses(own, was_full, &mut ring.last_ns, horizon_ns));
        }
        self.rings.forget_departed();
        records.sort_by_key(|record| record.time_ns);
        self.held_back =
            records.split_off(records.partition_point(|record| record.time_ns <= horizon_ns));
        self.horizon_ns = horizon_ns;
        records
    }

    /// Everything that happened up to this `CLOCK_MONOTONIC` time has been drained.
    pub fn horizon_ns(&self) -> u64 {
        self.horizon_ns
    }

    /// Descriptors that become readable when a ring is half full.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.rings.each.iter().map(|ring| ring.ring.fd())
    }
}

fn open_ring(cpu: u32) -> Result<PerfRing, KernelError> {
    let fd = open_on_cpu(&mut attributes(), cpu).map_err(|source| KernelError::Perf { source })?;
    PerfRing::new(fd, RING_PAGES)
}

/// The records of one ring, in which losses say since when: the last record before them. The kernel tells of a loss with the
/// next record that fits, which may come much later: a ring that was full is a loss at once.
fn with_losses(
    mut records: Vec<SidebandRecord>,
    was_full: bool,
    last_ns: &mut u64,
    now_ns: u64,
) -> Vec<SidebandRecord> {
    for record in &mut records {
        if let SidebandEvent::Lost { since_ns, .. } = &mut record.event {
            *since_ns = *last_ns;
        }
        *last_ns = record.time_ns.max(*last_ns);
    }
    if was_full {
        let event = SidebandEvent::Lost { count: 0, since_ns: *last_ns };
        records.push(SidebandRecord { time_ns: now_ns.max(*last_ns), event });
    }
    records
}

fn attributes() -> bindings::perf_event_attr {
    let mut attr = bindings::perf_event_attr::default();
    attr.type_ = bindings::PERF_TYPE_SOFTWARE;
    attr.config = bindings::PERF_COUNT_SW_DUMMY.into();
    attr.sample_type = u64::from(bindings::PERF_SAMPLE_TID | bindings::PERF_SAMPLE_TIME);
    attr.clockid = libc::CLOCK_MONOTONIC;
    attr.set_mmap(1);
    attr.set_mmap2(1);
    attr.set_comm(1);
    attr.set_comm_exec(1);
    attr.set_task(1);
    attr.set_ksymbol(1);
    attr.set_sample_id_all(1);
    attr.set_use_clockid(1);
    attr.set_watermark(1);
    attr.__bindgen_anon_2.wakeup_watermark = WAKE_BYTES;
    attr
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(time_ns: u64) -> SidebandRecord {
        SidebandRecord { time_ns, event: SidebandEvent::Exit { pid: 1, tid: 1 } }
    }

    fn lost(time_ns: u64, count: u64, since_ns: u64) -> SidebandRecord {
        SidebandRecord { time_ns, event: SidebandEvent::Lost { count, since_ns } }
    }

    #[test]
    fn a_loss_says_since_when() {
        let mut last_ns = 5;
        let told = with_losses(vec![lost(20, 3, 0), exit(20), exit(30)], false, &mut last_ns, 40);
        assert_eq!(told, [lost(20, 3, 5), exit(20), exit(30)]);
        assert_eq!(last_ns, 30);
    }

    #[test]
    fn a_ring_that_was_full_is_a_loss_before_the_kernel_says_so() {
        let mut last_ns = 0;
        let told = with_losses(vec![exit(10), exit(20)], true, &mut last_ns, 40);
        assert_eq!(told, [exit(10), exit(20), lost(40, 0, 20)]);
    }
}
