//! The CPU time that the kernel accounted to a process, and what a hypervisor took away meanwhile.

use anyhow::{Context, Result};

/// The kernel's unit in `/proc/PID/stat` on every architecture it tells user space about (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;
const NS_PER_TICK: u64 = 1_000_000_000 / TICKS_PER_SECOND;

/// User and system time of all threads of `pid`, the ended ones included, in nanoseconds; resolution 10 ms each.
///
/// `/proc/PID/stat`, proc(5): fields 14 and 15. They are scaled to the scheduler's exact run time, so that only their
/// resolution is coarse.
pub fn process_cpu_ns(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    ticks(&stat).map(|ticks| ticks * NS_PER_TICK).context("malformed stat")
}

/// Time of all processors since the start in which they had work and the hypervisor ran something else, in
/// nanoseconds: `steal` of `/proc/stat`, proc(5). No process is accounted for it, but timers go on.
pub fn stolen_ns() -> Result<u64> {
    let stat = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    stolen_ticks(&stat).map(|ticks| ticks * NS_PER_TICK).context("malformed /proc/stat")
}

fn stolen_ticks(stat: &str) -> Option<u64> {
    stat.strip_prefix("cpu ")?.lines().next()?.split_ascii_whitespace().nth(7)?.parse().ok()
}

fn ticks(stat: &str) -> Option<u64> {
    // The command may hold spaces and brackets: fields are counted from its end.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_command_whatever_it_holds() {
        let stat = "7 (a) (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 120 34 5 6 20 0 1 0 99";
        assert_eq!(ticks(stat), Some(154));
        assert_eq!(ticks("7 (a) S"), None);
    }

    #[test]
    fn stolen_time_is_the_eighth_of_all_processors() {
        let stat = "cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(stolen_ticks(stat), Some(80));
        assert_eq!(stolen_ticks("cpu  1 2 3"), None);
        assert!(stolen_ns().is_ok());
    }

    #[test]
    fn our_own_time_can_be_read() {
        assert!(process_cpu_ns(std::process::id()).is_ok());
    }
}
