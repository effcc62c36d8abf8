//! Who is sampled, how often, and what becomes of every sample.

use infrared_bpf::{
    CopiedMemory, Filter, KernelConfig,
    abi::{IR_SAMPLE_KERNEL_THREAD, IR_STAT_DEFERRED, IR_STAT_LOST_RING_FULL, IR_STAT_SAMPLES},
};

use crate::session::{HZ, Session, config};

/// Time of all processors since the start in which the hypervisor ran something else, in nanoseconds: `steal` of `/proc/stat`,
/// proc(5), in hundredths of a second. No process is accounted for it, and timers are late or go on.
fn stolen_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let ticks = stat.lines().next().and_then(|all| all.split_ascii_whitespace().nth(8));
    ticks.unwrap().parse::<u64>().unwrap() * 10_000_000
}

/// Asserts that so many samples stand for so much CPU time, within 10 % and what was stolen since `stolen_before`.
fn assert_conserved(what: &str, samples: usize, cpu_ns: u64, stolen_before: u64) {
    let periods = |ns: u64| ns as f64 / 1e9 * HZ as f64;
    let (expected, stolen) = (periods(cpu_ns), periods(stolen_ns() - stolen_before));
    let difference = (samples as f64 - expected).abs();
    assert!(
        difference <= expected * 0.1 + stolen,
        "{what}: {samples} samples for {expected:.0} periods, {stolen:.0} stolen"
    );
}

#[test]
fn a_process_has_as_many_samples_as_its_cpu_time_has_periods() {
    let (mut session, mut subject) = Session::with_subject(&config());
    let stolen = stolen_ns();
    let cpu_ns = subject.numbers("burn 1000")[0];
    let taken = session.take();
    assert_conserved("burn", taken.heads().count(), cpu_ns, stolen);
    assert_eq!(taken.pids(), [subject.pid()].into());
    for sample in taken.heads() {
        assert_eq!(sample.tid, subject.pid());
        assert!(sample.comm.starts_with(&b"subject\0".map(|byte| byte as _)));
        assert_eq!(sample.flags & IR_SAMPLE_KERNEL_THREAD, 0);
    }
    let times: Vec<_> = taken.heads().map(|sample| sample.time_ns).collect();
    assert!(times.iter().all(|time| *time > 0));
}

#[test]
fn children_of_chosen_processes_are_chosen_and_strangers_are_not() {
    let (mut session, mut subject) = Session::with_subject(&config());
    let mut stranger = crate::subject::Subject::start();
    stranger.tell("burn 100");
    let stolen = stolen_ns();
    let [child, cpu_ns] = subject.numbers("fork 500")[..] else { panic!("two numbers") };
    let taken = session.take();
    let of_child = taken.heads().filter(|sample| u64::from(sample.pid) == child).count();
    assert_conserved("child", of_child, cpu_ns, stolen);
    assert!(!taken.pids().contains(&stranger.pid()));
    assert!(session.kernel.processes.is_selected(child as u32));
}

fn burn_here() {
    let mut value = 1u64;
    let start = std::time::Instant::now();
    while start.elapsed().as_millis() < 300 {
        for _ in 0..10_000 {
            value = std::hint::black_box(value.wrapping_mul(3) + 1);
        }
    }
}

#[test]
fn the_profiler_itself_is_sampled_unless_excluded() {
    for exclude_self in [false, true] {
        let filter = Filter::Everything;
        let mut session = Session::load(&KernelConfig { exclude_self, filter, ..config() });
        burn_here();
        let seen = session.take().pids().contains(&std::process::id());
        assert_eq!(seen, !exclude_self);
    }
}

#[test]
fn every_sample_is_delivered_or_counted_when_the_ring_is_full() {
    let small = KernelConfig { ring_bytes: Some(64 << 10), ..config() };
    let (mut session, mut subject) = Session::with_subject(&small);
    subject.tell("burn 500");
    session.kernel.pause().unwrap();
    subject.tell("burn 1");
    let taken = session.take();
    let lost = session.stat(IR_STAT_LOST_RING_FULL);
    let delivered = taken.heads().count() as u64;
    assert!(lost > 100, "{lost} lost, {delivered} delivered");
    assert_eq!(session.stat(IR_STAT_SAMPLES), delivered + lost);
    assert!(session.stat(IR_STAT_DEFERRED) >= taken.deferred.len() as u64);
    session.kernel.resume().unwrap();
    subject.tell("burn 50");
    assert!(session.take().heads().next().is_some(), "a ring that was emptied takes records");
}

#[test]
fn records_that_go_round_the_end_of_the_ring_are_whole() {
    const RING: usize = 64 << 10;
    let (mut session, mut subject) =
        Session::with_subject(&KernelConfig { ring_bytes: Some(RING), ..config() });
    let (mut delivered, mut copied) = (0, 0);
    for _ in 0..100 {
        subject.tell("burn 10");
        // Fails if a record cannot be decoded.
        let taken = session.take();
        delivered += taken.heads().count() as u64;
        copied +=
            taken.deferred.iter().flat_map(|d| &d.memory).map(CopiedMemory::len).sum::<usize>();
    }
    session.kernel.pause().unwrap();
    delivered += session.take().heads().count() as u64;
    assert!(copied > 4 * RING, "{copied} bytes of stacks: the ring has hardly gone round");
    let lost = session.stat(IR_STAT_LOST_RING_FULL);
    assert_eq!(session.stat(IR_STAT_SAMPLES), delivered + lost);
}

#[test]
fn a_pause_takes_no_samples() {
    let (mut session, mut subject) = Session::with_subject(&config());
    subject.tell("burn 100");
    session.kernel.pause().unwrap();
    // What ran on another CPU during the pause's beginning has ended after this.
    subject.tell("burn 5");
    let before = session.stat(IR_STAT_SAMPLES);
    assert!(before > 50);
    session.kernel.next_window().unwrap();
    subject.tell("burn 200");
    assert_eq!(session.stat(IR_STAT_SAMPLES), before, "a new window does not end the pause");
}

#[test]
fn every_online_cpu_is_sampled() {
    let mut session = Session::load(&config());
    let report = session.kernel.report();
    let count = std::fs::read_to_string("/proc/cpuinfo")
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    assert_eq!((report.cpus.len(), report.failed.len(), report.unheard.len()), (count, 0, 0));
    assert!(!session.kernel.follow_hotplug().unwrap(), "no CPU came or went");
}

/// A cgroup (v2) that is removed in the end.
struct Cgroup(std::path::PathBuf);

impl Cgroup {
    fn make(path: std::path::PathBuf) -> Self {
        std::fs::create_dir(&path).expect("cgroup v2 is mounted and writable");
        Self(path)
    }

    fn at_root(name: &str) -> Self {
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(std::path::Path::new);
        let mount = mounts.iter().find(|mount| mount.join("cgroup.procs").exists());
        let name = format!("{name}-{}", std::process::id());
        Self::make(mount.expect("cgroup v2 is mounted").join(name))
    }

    fn below(&self, name: &str) -> Self {
        Self::make(self.0.join(name))
    }

    fn id(&self) -> u64 {
        std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&self.0).unwrap())
    }

    fn take(&self, pid: u32) {
        std::fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}

#[test]
fn cgroups_that_are_made_later_below_a_chosen_one_are_chosen() {
    let filter = Filter::Cgroups;
    let mut session = Session::load(&KernelConfig { filter, ..config() });
    let chosen = Cgroup::at_root("infrared-chosen");
    let stranger = Cgroup::at_root("infrared-stranger");
    session.kernel.processes.select_cgroup(chosen.id()).unwrap();
    let below = chosen.below("a");
    let further = below.below("b");
    for (cgroup, is_chosen) in
        [(&chosen, true), (&below, true), (&further, true), (&stranger, false)]
    {
        let mut subject = crate::subject::Subject::start();
        cgroup.take(subject.pid());
        session.take();
        subject.tell("burn 100");
        let is_seen = session.take().pids().contains(&subject.pid());
        assert_eq!(is_seen, is_chosen, "{}", cgroup.0.display());
        subject.end();
    }
}
