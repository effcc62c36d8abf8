//! The CPU time that the kernel accounted to a process.
//!
//! `/proc/PID/schedstat` and `/proc/PID/sched` tell of the main thread alone, and summing them over
//! the threads misses those that ended. The process' CPU clock (`clock_getcpuclockid(3)`) counts all
//! threads in nanoseconds; `stat` does so in clock ticks.

use crate::host::clock_ticks_per_second;
use crate::{Error, Pid, ProcessDir};

/// CPU time of all threads of a process, those that ended included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTime {
    /// User space, to a clock tick (10 ms).
    pub user_ns: u64,
    /// Kernel, to a clock tick.
    pub system_ns: u64,
    /// Both, to the nanosecond.
    pub total_ns: u64,
}

impl ProcessDir {
    /// The time until now. Only for processes of the running kernel, in our own pid namespace.
    pub fn cpu_time(&self) -> Result<CpuTime, Error> {
        let total_ns = cpu_clock_ns(self.pid()).ok_or(Error::Gone(self.pid()))?;
        let stat = self.stat()?;
        let in_ns = |ticks| super::start_boottime_ns(ticks, clock_ticks_per_second());
        Ok(CpuTime {
            user_ns: in_ns(stat.user_ticks),
            system_ns: in_ns(stat.system_ticks),
            total_ns,
        })
    }
}

/// The clock id of a process' CPU clock is `~pid << 3 | CPUCLOCK_SCHED` with `CPUCLOCK_SCHED` = 2
/// (`MAKE_PROCESS_CPUCLOCK` in the kernel's posix-timers.h).
#[expect(unsafe_code, reason = "rustix has no clock of another process")]
fn cpu_clock_ns(pid: Pid) -> Option<u64> {
    let clock = (!libc::pid_t::try_from(pid.0).ok()?).wrapping_shl(3) | 2;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to for the whole call; an unknown clock is refused
    // with EINVAL.
    let status = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u64::try_from(time.tv_nsec).ok()?;
    (status == 0).then(|| seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProcFs;

    #[test]
    fn the_time_of_threads_that_ended_counts() {
        let process = ProcFs::system().process(Pid(std::process::id())).unwrap();
        let before = process.cpu_time().unwrap();
        let burn = || {
            let clock = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            while clock().tv_nsec < 60_000_000 {}
        };
        std::thread::Builder::new().spawn(burn).unwrap().join().unwrap();
        let after = process.cpu_time().unwrap();
        assert!(after.total_ns - before.total_ns >= 60_000_000);
        let ticked = |time: CpuTime| time.user_ns + time.system_ns;
        // other tests of this process run meanwhile: both see the same time, to two ticks
        let later = process.cpu_time().unwrap();
        assert!(ticked(later) + 20_000_000 >= after.total_ns);
        assert!(ticked(after) <= later.total_ns + 20_000_000);
    }

    #[test]
    fn a_process_that_is_not_there_has_no_clock() {
        assert_eq!(cpu_clock_ns(Pid(u32::MAX)), None);
        assert_eq!(cpu_clock_ns(Pid(0x1fff_fffe)), None);
    }
}
