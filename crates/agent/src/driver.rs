//! The driver: the thread that owns the kernel side. It hands the pipeline what came in, and does what that decides. It
//! never waits for anything but the kernel, and never touches what a profiled process controls.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use infrared_bpf::{
    CopiedStack, HostUnwinder, Kernel, KernelError, MappingBlock, PageKey, PageTable, Stats,
    TableError, UnwindTables, Unwound, monotonic_ns,
};

use crate::{
    health::Pulse,
    losses::Loss,
    naming::TaskSender,
    pipeline::{Command, Input, Pipeline, Tables},
    reader::Reader,
    self_metrics::SharedStats,
    window::ClosedWindow,
};

/// The longest sleep: process events are read and windows closed this much late at most.
const TICK: Duration = Duration::from_millis(100);
/// While images are being read, their results are looked for this often.
const BUSY_TICK: Duration = Duration::from_millis(2);
const HOUSE_INTERVAL: Duration = Duration::from_secs(1);
/// What is being read of chosen processes is waited for this long before they are sampled.
const PREPARE_PATIENCE: Duration = Duration::from_secs(1);
/// At the end, what is still being read is waited for this long.
const FINISH_PATIENCE: Duration = Duration::from_secs(5);

/// Everything that the driver works with.
pub(crate) struct Driver {
    pub(crate) kernel: Kernel,
    pub(crate) host: HostUnwinder,
    pub(crate) reader: Reader,
    pub(crate) pipeline: Pipeline,
    pub(crate) naming: TaskSender,
    pub(crate) stats: SharedStats,
    pub(crate) stop: Arc<AtomicBool>,
    /// The kernel's counters when the open window began.
    pub(crate) at_window_start: Stats,
    pub(crate) last_house: Instant,
}

/// The kernel side as the pipeline uses it within a turn.
struct KernelTables<'a> {
    tables: &'a mut UnwindTables,
    host: &'a mut HostUnwinder,
}

impl Tables for KernelTables<'_> {
    fn contains(&self, key: PageKey) -> bool {
        self.tables.contains(key)
    }

    fn insert(&mut self, key: PageKey, table: PageTable<'_>) -> Result<(), TableError> {
        self.tables.insert(key, table)
    }

    fn make_room(&mut self, rows: usize) -> Result<(), TableError> {
        self.tables.make_room(rows)
    }

    fn insert_unreadable(&mut self, key: PageKey) -> Result<(), TableError> {
        self.tables.insert_unreadable(key)
    }

    fn remove_page(&mut self, key: PageKey) {
        self.tables.remove_page(key);
    }

    fn remove_image(&mut self, image: u32) {
        self.tables.remove_image(image);
    }

    fn walk(&mut self, pid: u32, block: &MappingBlock, stack: CopiedStack<'_>) -> Unwound {
        self.host.unwind(self.tables, pid, block, stack)
    }
}

impl Driver {
    /// Begins to sample: where processes were chosen, when they are known, or after a while.
    pub(crate) fn begin(&mut self, chosen: &[u32]) -> Result<(), KernelError> {
        if chosen.is_empty() {
            return Ok(());
        }
        let until = Instant::now() + PREPARE_PATIENCE;
        while !self.pipeline.prepare(chosen, monotonic_ns()) && Instant::now() < until {
            self.turn()?;
            self.kernel.wait(BUSY_TICK, &[self.reader.wake_fd()])?;
        }
        self.pipeline.begin(monotonic_ns());
        self.kernel.resume()
    }

    /// Runs until told to stop; the last window is then closed and delivered.
    pub(crate) fn run(mut self, pulse: &Pulse) -> Result<(), KernelError> {
        crate::priority::hurry();
        while !self.stop.load(Ordering::Acquire) {
            pulse.rest();
            self.kernel.wait(self.patience(), &[self.reader.wake_fd()])?;
            pulse.begin();
            self.turn()?;
            self.keep_house();
        }
        self.kernel.pause()?;
        // What follows takes time, but no samples.
        let (end_ns, until) = (monotonic_ns(), Instant::now() + FINISH_PATIENCE);
        self.turn()?;
        while self.pipeline.is_waiting() && Instant::now() < until {
            self.kernel.wait(BUSY_TICK, &[self.reader.wake_fd()])?;
            self.turn()?;
        }
        let mut tables = KernelTables { tables: &mut self.kernel.tables, host: &mut self.host };
        let commands = self.pipeline.finish(end_ns, &mut tables);
        self.execute(commands)?;
        self.tell();
        Ok(())
    }

    fn patience(&self) -> Duration {
        if self.pipeline.is_busy() {
            return BUSY_TICK;
        }
        if self.naming.is_behind() {
            return TICK;
        }
        let left = self.pipeline.window_due_ns().saturating_sub(monotonic_ns());
        TICK.min(Duration::from_nanos(left)).max(Duration::from_millis(1))
    }

    /// One turn: events before samples, so that a sample finds its process as it was.
    fn turn(&mut self) -> Result<(), KernelError> {
        let records = self.kernel.take_records();
        let replies = self.reader.take_replies();
        let events = self.kernel.sideband.drain();
        let input = Input {
            records,
            events,
            horizon_ns: self.kernel.sideband.horizon_ns(),
            replies,
            now_ns: monotonic_ns(),
            is_naming_behind: self.naming.is_behind(),
        };
        let mut tables = KernelTables { tables: &mut self.kernel.tables, host: &mut self.host };
        let commands = self.pipeline.turn(input, &mut tables);
        self.execute(commands)
    }

    fn execute(&mut self, commands: Vec<Command>) -> Result<(), KernelError> {
        for command in commands {
            match command {
                Command::Ask(question) => {
                    if let Err(full) = self.reader.ask(question) {
                        self.pipeline.unasked(full.0);
                    }
                }
                Command::Publish { pid, space, block } => {
                    let result = self.kernel.processes.publish(pid, &block);
                    let more = self.pipeline.published(
                        pid,
                        space,
                        result.as_ref().copied(),
                        monotonic_ns(),
                    );
                    self.execute(more)?;
                }
                Command::ForgetMappings(pid) => self.kernel.processes.forget_mappings(pid),
                Command::ForgetProcess(pid) => self.kernel.processes.remove(pid),
                // The next stack of the process, or the window's end, is another chance.
                Command::ReadPerfMap(process) => drop(self.naming.send_perf_map(process)),
                Command::Deliver(window) => self.deliver(window)?,
            }
        }
        Ok(())
    }

    fn deliver(&mut self, mut window: Box<ClosedWindow>) -> Result<(), KernelError> {
        self.kernel.next_window()?;
        self.tell();
        let now = self.kernel.stats();
        let then = std::mem::replace(&mut self.at_window_start, now.clone());
        window.counters = now
            .iter()
            .zip(then.iter())
            .map(|((name, _, now), (_, _, then))| (name, now - then))
            .collect();
        let samples: u64 = window.all_samples().map(|(_, times)| times.len() as u64).sum();
        // At the end nothing is left to be late for.
        let is_sent = if self.stop.load(Ordering::Acquire) {
            self.naming.send_last_window(window)
        } else {
            self.naming.send_window(window)
        };
        if !is_sent {
            tracing::error!(samples, "a window is lost: naming or delivery is too slow");
            self.stats.update(|stats| {
                *stats.undelivered.entry("naming too slow").or_default() += samples;
            });
        }
        Ok(())
    }

    fn keep_house(&mut self) {
        if self.last_house.elapsed() < HOUSE_INTERVAL {
            return;
        }
        self.last_house = Instant::now();
        self.reader.tend();
        if let Err(error) = self.kernel.follow_hotplug() {
            tracing::warn!(%error, "cannot follow CPU hot-plug");
        }
        self.tell();
    }

    /// Tells what is counted.
    fn tell(&mut self) {
        let (kernel, tables) = (self.kernel.stats(), self.kernel.tables.usage());
        let run_time = self.kernel.run_time();
        let sampler = self.kernel.report();
        let mut levels = self.pipeline.levels();
        levels.losses.set(Loss::RefusedUser, self.reader.refusals());
        levels.losses.set(Loss::RestartedCpu, sampler.restarted);
        levels.losses.set(Loss::RowsOverRules, tables.rows_over_rule_limit);
        self.stats.update(|stats| {
            stats.kernel = kernel.iter().map(|(name, _, value)| (name, value)).collect();
            stats.tables = tables;
            stats.mapping_bytes = self.kernel.processes.slab_bytes();
            stats.images = levels.images;
            stats.image_counts = levels.image_counts;
            stats.processes = levels.processes;
            stats.losses.set_all(&levels.losses);
            stats.damaged_records = self.kernel.damaged_records();
            (stats.bpf_run_ns, stats.bpf_runs) = (run_time.ns, run_time.runs);
            stats.sampler = Some(sampler);
        });
    }
}

/// The processes that run now.
pub(crate) fn running() -> io::Result<Vec<u32>> {
    let list = infrared_processes::ProcFs::system().list().map_err(io::Error::other)?;
    Ok(list.into_iter().map(|pid| pid.0).collect())
}
