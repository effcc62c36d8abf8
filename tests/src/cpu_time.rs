//! The CPU time that the kernel accounted to a process, and what a hypervisor took away meanwhile.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// The kernel's unit in `/proc/PID/stat` on every architecture it tells user space about (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;
const NS_PER_TICK: u64 = 1_000_000_000 / TICKS_PER_SECOND;

/// User and system time of all threads of `pid`, the ended ones included, in nanoseconds; resolution 10 ms each.
pub fn process_cpu_ns(pid: u32) -> Result<u64> {
    Ok(account(pid)?.own_ticks * NS_PER_TICK)
}

/// The same of the children of `pid` that it has waited for, and of theirs.
pub fn ended_children_cpu_ns(pid: u32) -> Result<u64> {
    Ok(account(pid)?.ended_children_ticks * NS_PER_TICK)
}

/// The same of `pid` and all that descends from it, as far as it lives or has been waited for.
pub fn tree_cpu_ns(pid: u32) -> Result<u64> {
    let root = account(pid)?;
    let mut accounts = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let other = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        // One that has ended meanwhile is in its parent's account.
        if let Some((other, account)) = other.and_then(|other| Some((other, account(other).ok()?)))
        {
            accounts.insert(other, account);
        }
    }
    accounts.insert(pid, root);
    let ticks = accounts.iter().filter(|&(&other, _)| descends(&accounts, other, pid));
    Ok(ticks.map(|(_, account)| account.own_ticks + account.ended_children_ticks).sum::<u64>()
        * NS_PER_TICK)
}

/// Whether `pid` is `ancestor` or has it above itself.
fn descends(accounts: &BTreeMap<u32, Account>, mut pid: u32, ancestor: u32) -> bool {
    // As many steps as there are processes at most: numbers are given anew, which could close a circle.
    for _ in 0..=accounts.len() {
        if pid == ancestor {
            return true;
        }
        match accounts.get(&pid) {
            Some(account) => pid = account.parent,
            None => return false,
        }
    }
    false
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

/// What `/proc/PID/stat` says of a process, proc(5). Its times are scaled to the scheduler's exact run time, so that
/// only their resolution is coarse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    parent: u32,
    own_ticks: u64,
    ended_children_ticks: u64,
}

fn account(pid: u32) -> Result<Account> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse(&stat).context("malformed stat")
}

fn parse(stat: &str) -> Option<Account> {
    // The command may hold spaces and brackets: fields are counted from its end, which the third one follows.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let mut ticks = fields.skip(9).map(|field| field.parse::<u64>().ok());
    let mut user_and_system = || ticks.next()??.checked_add(ticks.next()??);
    Some(Account {
        parent,
        own_ticks: user_and_system()?,
        ended_children_ticks: user_and_system()?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn fields_are_counted_behind_the_command_whatever_it_holds() {
        let stat = "7 (a) (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 120 34 5 6 20 0 1 0 99";
        let account = Account { parent: 1, own_ticks: 154, ended_children_ticks: 11 };
        assert_eq!(parse(stat), Some(account));
        assert_eq!(parse("7 (a) S"), None);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let account = |parent| Account { parent, own_ticks: 1, ended_children_ticks: 0 };
        let accounts = BTreeMap::from([(4, account(5)), (5, account(4)), (6, account(1))]);
        assert!(descends(&accounts, 4, 5) && descends(&accounts, 6, 1));
        assert!(!descends(&accounts, 4, 6) && !descends(&accounts, 6, 4));
    }

    #[test]
    fn stolen_time_is_the_eighth_of_all_processors() {
        let stat = "cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(stolen_ticks(stat), Some(80));
        assert_eq!(stolen_ticks("cpu  1 2 3"), None);
        assert!(stolen_ns().is_ok());
    }

    #[test]
    fn a_child_s_time_is_that_of_the_tree_while_it_lives_and_afterwards() {
        let own = std::process::id();
        let script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo; read end";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0];
        child.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
        let burned = process_cpu_ns(child.id()).unwrap();
        assert!(burned > 0 && tree_cpu_ns(own).unwrap() >= burned);
        assert!(child.wait().unwrap().code().is_some());
        assert!(ended_children_cpu_ns(own).unwrap() >= burned);
        assert!(tree_cpu_ns(own).unwrap() >= burned);
    }
}
