//! `/proc/PID/stat`: `proc_pid_stat(5)`.

use crate::{Error, Pid, ProcessDir};

/// `PF_KTHREAD` of the kernel's `sched.h`.
const PF_KTHREAD: u32 = 0x0020_0000;
const LONGEST: u64 = 4096;

/// The fields that we use. Times are in clock ticks, see [`crate::host::clock_ticks_per_second`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Name of the main thread: at most 15 bytes, of the process' own choosing.
    pub comm: String,
    /// `R` running, `S` sleeping, `Z` zombie, …
    pub state: char,
    /// 0 for the first process of a pid namespace and for kernel threads.
    pub parent: Pid,
    pub flags: u32,
    /// CPU time in user space, of all threads, those that ended included.
    pub user_ticks: u64,
    /// CPU time in the kernel, likewise.
    pub system_ticks: u64,
    pub threads: u32,
    /// Start after boot, suspended time included. With the pid it names a process uniquely.
    pub start_ticks: u64,
    /// Runtime address of the stack's bottom, set anew by every exec; 0 where we may not look.
    pub start_stack: u64,
}

impl Stat {
    pub fn is_kernel_thread(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }

    pub fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    /// The name may contain spaces, newlines and parentheses: it ends at the last `)`.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let open = bytes.iter().position(|&byte| byte == b'(')?;
        let close = bytes.iter().rposition(|&byte| byte == b')')?;
        let comm = String::from_utf8_lossy(bytes.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
        // numbered as in proc_pid_stat(5), where the state is field 3
        let fields: Vec<&str> = rest.split_ascii_whitespace().take(28 - 2).collect();
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            comm,
            state: field(3)?.chars().next()?,
            parent: Pid(field(4)?.parse().ok()?),
            flags: field(9)?.parse().ok()?,
            user_ticks: field(14)?.parse().ok()?,
            system_ticks: field(15)?.parse().ok()?,
            threads: field(20)?.parse().ok()?,
            start_ticks: field(22)?.parse().ok()?,
            start_stack: field(28)?.parse().ok()?,
        })
    }
}

impl ProcessDir {
    pub fn stat(&self) -> Result<Stat, Error> {
        let mut stat = Stat::parse(&self.read("stat", LONGEST)?)
            .ok_or_else(|| self.malformed("stat", "fields are missing"))?;
        if let Some(start_stack) = self.start_stack_of_thread() {
            stat.start_stack = start_stack;
        }
        Ok(stat)
    }
}

/// Start of a process on `CLOCK_BOOTTIME`, in nanoseconds, from [`Stat::start_ticks`]; as coarse as a
/// tick. [`crate::host::Clocks`] leads from there to the other clocks.
pub fn start_boottime_ns(start_ticks: u64, ticks_per_second: u64) -> u64 {
    let nanoseconds = u128::from(start_ticks) * 1_000_000_000 / u128::from(ticks_per_second.max(1));
    u64::try_from(nanoseconds).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REST: &str = "S 17 5 5 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 12 0 987654 10 20 99 1 2 140720308486144 0 0";

    #[test]
    fn any_name_is_told_from_the_fields() {
        for name in ["cat", "a b", "x) S 1 (y", "((", ")", "", "new\nline"] {
            let stat = Stat::parse(format!("42 ({name}) {REST}\n").as_bytes()).unwrap();
            assert_eq!(stat.comm, name);
            assert_eq!((stat.state, stat.parent), ('S', Pid(17)));
            assert_eq!((stat.user_ticks, stat.system_ticks), (250, 50));
            assert_eq!((stat.threads, stat.start_ticks), (12, 987_654));
            assert_eq!(stat.start_stack, 140_720_308_486_144);
            assert!(!stat.is_kernel_thread());
        }
    }

    #[test]
    fn a_kernel_thread_is_told_by_its_flag() {
        let rest = REST.replace("4194560", "2129984");
        assert!(Stat::parse(format!("2 (kthreadd) {rest}").as_bytes()).unwrap().is_kernel_thread());
    }

    #[test]
    fn a_stat_that_is_cut_is_refused() {
        let whole = format!("42 (cat) {REST}");
        let needed = whole.len() - " 0 0".len();
        assert!(Stat::parse(&whole.as_bytes()[..needed]).is_some());
        for length in 0..needed - "140720308486144".len() {
            assert_eq!(Stat::parse(&whole.as_bytes()[..length]), None, "{length}");
        }
    }

    #[test]
    fn ticks_become_nanoseconds_without_overflow() {
        for (ticks, per_second, expected) in [
            (0, 100, 0),
            (150, 100, 1_500_000_000),
            (1, 1024, 976_562),
            (u64::MAX, 100, u64::MAX),
            (5, 0, 5_000_000_000),
        ] {
            assert_eq!(start_boottime_ns(ticks, per_second), expected);
        }
    }

    proptest! {
        #[test]
        fn no_content_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            Stat::parse(&bytes);
        }
    }
}
