//! The machine: name, kernel, memory, clocks.

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::{Error, ProcFs};

/// Facts that stay the same while the agent runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Node name (uname(2)).
    pub name: String,
    /// Such as `6.1.0-18-amd64`.
    pub kernel_release: String,
    /// Such as `x86_64`.
    pub machine: String,
    /// Bytes.
    pub page_size: u64,
    /// Bytes of memory that the kernel manages.
    pub memory_bytes: u64,
}

impl Host {
    /// Asks the running kernel.
    pub fn read() -> Self {
        let uname = rustix::system::uname();
        let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
        let memory = rustix::system::sysinfo();
        Self {
            name: text(uname.nodename()),
            kernel_release: text(uname.release()),
            machine: text(uname.machine()),
            page_size: rustix::param::page_size() as u64,
            memory_bytes: memory.totalram * u64::from(memory.mem_unit),
        }
    }
}

/// Ticks of `stat` in a second (`_SC_CLK_TCK`).
pub fn clock_ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

/// How the kernel's clocks stand to each other at one moment.
///
/// The unix time jumps when it is set, and `CLOCK_BOOTTIME` runs ahead of `CLOCK_MONOTONIC` while the
/// machine sleeps: read anew from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// Add to `CLOCK_MONOTONIC` to get the unix time, in nanoseconds.
    pub monotonic_to_unix_ns: i64,
    /// Add to `CLOCK_BOOTTIME` to get `CLOCK_MONOTONIC`, in nanoseconds: 0 or negative.
    pub boottime_to_monotonic_ns: i64,
}

impl Clocks {
    /// Reads the clocks in turn; of a few readings the one that took least time counts.
    pub fn read() -> Self {
        let read = || {
            let before = nanoseconds(ClockId::Monotonic);
            let unix = nanoseconds(ClockId::Realtime);
            let boot = nanoseconds(ClockId::Boottime);
            let after = nanoseconds(ClockId::Monotonic);
            (after - before, Self::from_readings(before.midpoint(after), unix, boot))
        };
        let mut best = read();
        for _ in 0..4 {
            let next = read();
            if next.0 < best.0 {
                best = next;
            }
        }
        best.1
    }

    fn from_readings(monotonic: i64, unix: i64, boot: i64) -> Self {
        let boottime_to_monotonic_ns = monotonic - boot;
        // without a suspend the two clocks are one: the rest is the time that reading took
        let is_noise = boottime_to_monotonic_ns.abs() < 1_000_000;
        Self {
            monotonic_to_unix_ns: unix - monotonic,
            boottime_to_monotonic_ns: if is_noise { 0 } else { boottime_to_monotonic_ns },
        }
    }

    /// Unix time in nanoseconds of a `CLOCK_MONOTONIC` time, such as a sample's.
    pub fn unix_ns(&self, monotonic_ns: u64) -> u64 {
        monotonic_ns.saturating_add_signed(self.monotonic_to_unix_ns)
    }

    /// `CLOCK_MONOTONIC` time of a `CLOCK_BOOTTIME` time, such as a process' start.
    pub fn monotonic_ns(&self, boottime_ns: u64) -> u64 {
        boottime_ns.saturating_add_signed(self.boottime_to_monotonic_ns)
    }
}

fn nanoseconds(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

impl ProcFs {
    /// Unix time of the boot in seconds: `btime` of `/proc/stat`.
    pub fn boot_time_s(&self) -> Result<u64, Error> {
        let content = self.read("stat", 16 * 1024 * 1024)?;
        let text = String::from_utf8_lossy(&content);
        text.lines()
            .find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
            .ok_or_else(|| Error::Malformed { path: self.root().join("stat"), what: "no btime" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_knows_itself() {
        let host = Host::read();
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(host.name, hostname.trim());
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(host.kernel_release, release.trim());
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
        let kibibytes: u64 = meminfo.split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
        assert_eq!(host.memory_bytes, kibibytes * 1024);
        assert!(host.page_size.is_power_of_two());
    }

    #[test]
    fn a_monotonic_time_becomes_the_unix_time() {
        let now = Clocks::read().unix_ns(nanoseconds(ClockId::Monotonic) as u64);
        let system = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        assert!(system.abs_diff(now) < 1_000_000_000);
        let booted = ProcFs::system().boot_time_s().unwrap() * 1_000_000_000;
        let since_boot = nanoseconds(ClockId::Boottime) as u64;
        assert!((booted + since_boot).abs_diff(system) < 2_000_000_000);
    }

    #[test]
    fn clock_offsets_follow_from_the_readings() {
        let clocks =
            Clocks::from_readings(100_000_000_000, 1_700_000_000_000_000_000, 160_000_000_000);
        assert_eq!(clocks.monotonic_ns(61_000_000_000), 1_000_000_000);
        assert_eq!(clocks.unix_ns(100_000_000_000), 1_700_000_000_000_000_000);
        assert_eq!(clocks.monotonic_ns(1), 0);
        assert_eq!(Clocks::from_readings(10, 20, 500).boottime_to_monotonic_ns, 0);
    }
}
