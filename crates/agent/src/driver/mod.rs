//! The driver: the thread that owns the kernel side. It never waits for anything but the kernel.

mod deferred;
mod deferred_queue;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use infrared_bpf::{HostUnwinder, Kernel, KernelError, Record, abi, abi::ir_sample, monotonic_ns};
use infrared_processes::ProcFs;

use self::deferred_queue::DeferredQueue;
use crate::{
    config::Pace,
    identity::Identifier,
    images::ImageRegistry,
    naming::TaskSender,
    publish::Publisher,
    self_metrics::SharedStats,
    watch::{self, ProcessTable},
    window::{ImageSnapshot, ProcessRef, SampleKey, Window},
};

/// The longest sleep: process events are read and windows closed this much late at most.
const TICK: Duration = Duration::from_millis(100);
/// While images are being read, their results are looked for this often.
const BUSY_TICK: Duration = Duration::from_millis(2);
const PERF_MAP_INTERVAL: Duration = Duration::from_secs(1);
const HOTPLUG_INTERVAL: Duration = Duration::from_secs(1);
/// Processes of before our start whose mappings are read in one turn.
const SCAN_BATCH: usize = 16;
/// Samples that a window holds at most; it closes early when it is full.
const MAX_WINDOW_SAMPLES: usize = 1 << 20;

/// Everything that the driver works with.
pub(crate) struct Driver {
    pub(crate) kernel: Kernel,
    pub(crate) pace: Pace,
    pub(crate) procfs: ProcFs,
    pub(crate) identifier: Identifier,
    pub(crate) images: ImageRegistry,
    pub(crate) naming: TaskSender,
    pub(crate) stats: SharedStats,
    pub(crate) stop: Arc<AtomicBool>,
}

/// What the driver remembers between turns.
struct State {
    table: ProcessTable,
    publisher: Publisher,
    deferred: DeferredQueue,
    window: Window,
    window_index: u64,
    host: HostUnwinder,
    /// Records of a time whose process events are not all there yet.
    early: Vec<Record>,
    unscanned: Vec<u32>,
    last_hotplug: Instant,
    samples_in_window: usize,
    /// When the perf maps of processes were last asked for.
    perf_maps: HashMap<u32, Instant>,
}

impl Driver {
    /// Runs until told to stop; the last window is then closed and delivered.
    pub(crate) fn run(mut self) -> Result<(), KernelError> {
        crate::start::hurry();
        let mut state = State {
            table: ProcessTable::default(),
            publisher: Publisher::default(),
            deferred: DeferredQueue::default(),
            window: Window::open(monotonic_ns(), self.kernel.stats()),
            window_index: 0,
            host: HostUnwinder::default(),
            early: Vec::new(),
            unscanned: self
                .procfs
                .list()
                .unwrap_or_default()
                .into_iter()
                .map(|pid| pid.0)
                .collect(),
            last_hotplug: Instant::now(),
            samples_in_window: 0,
            perf_maps: HashMap::new(),
        };
        while !self.stop.load(Ordering::Acquire) {
            self.kernel.wait(self.patience(&state))?;
            self.turn(&mut state);
            self.close_window_if_due(&mut state)?;
        }
        self.kernel.pause()?;
        // What follows takes time, but no samples.
        let end_ns = monotonic_ns();
        self.turn(&mut state);
        while !state.early.is_empty() {
            std::thread::sleep(BUSY_TICK);
            self.turn(&mut state);
        }
        self.finish_deferred(&mut state);
        self.close_window(&mut state, end_ns)
    }

    fn patience(&self, state: &State) -> Duration {
        if self.images.is_busy() || !state.unscanned.is_empty() || !state.early.is_empty() {
            return BUSY_TICK;
        }
        if self.naming.is_behind() {
            return TICK;
        }
        let length = self.pace.window(state.window_index).as_nanos() as u64;
        let left = (state.window.start_ns() + length).saturating_sub(monotonic_ns());
        TICK.min(Duration::from_nanos(left)).max(Duration::from_millis(1))
    }

    /// One turn: events before samples, so that a sample finds its process as it was.
    fn turn(&mut self, state: &mut State) {
        let mut records = std::mem::take(&mut state.early);
        records.extend(self.kernel.take_records());
        self.take_events(state);
        self.scan(state);
        let horizon_ns = self.kernel.sideband.horizon_ns();
        for record in records {
            match &record {
                Record::Sample(sample) if sample.time_ns > horizon_ns => state.early.push(record),
                Record::Deferred(deferred) if deferred.sample.time_ns > horizon_ns => {
                    state.early.push(record);
                }
                Record::Exec(exec) if exec.time_ns > horizon_ns => state.early.push(record),
                _ => self.take_record(state, record),
            }
        }
        let may_help = self.settle(state);
        self.retry_deferred(state, may_help);
        if state.last_hotplug.elapsed() >= HOTPLUG_INTERVAL {
            state.last_hotplug = Instant::now();
            self.keep_house(state);
        }
    }

    fn take_events(&mut self, state: &mut State) {
        for event in self.kernel.sideband.drain() {
            state.table.apply(event);
        }
        if std::mem::take(&mut state.table.is_stale) {
            tracing::warn!(
                lost = state.table.lost_events,
                "process events were lost: reading all processes again"
            );
            self.reread_all(state);
        }
    }

    fn reread_all(&mut self, state: &mut State) {
        for (pid, process) in state.table.iter_mut() {
            if process.exited_ns.is_none()
                && !self.procfs.process(infrared_processes::Pid(pid)).is_ok_and(|p| p.is_alive())
            {
                process.exited_ns = Some(monotonic_ns());
            }
            process.current_mut().is_complete = false;
            process.is_dirty = true;
            if process.is_sampled {
                self.kernel.processes.remove(pid);
            }
        }
    }

    /// Reads the mappings of processes that ran before us, some in each turn: their children will need them.
    fn scan(&mut self, state: &mut State) {
        for _ in 0..SCAN_BATCH {
            let Some(pid) = state.unscanned.pop() else { return };
            let process = state.table.entry(pid);
            let generation = process.generations.len() - 1;
            watch::complete(&mut state.table, &self.procfs, pid, generation);
        }
    }

    fn take_record(&mut self, state: &mut State, record: Record) {
        match record {
            Record::UserStack(stack) => {
                self.announce_perf_map(state, stack.pid);
                state.window.add_user_stack(stack);
            }
            Record::KernelStack(stack) => state.window.add_kernel_stack(stack),
            Record::Sample(sample) => {
                let user_stack = sample.user_stack;
                self.add_sample(state, &sample, user_stack);
            }
            Record::Deferred(sample) => state.deferred.push(sample, Instant::now()),
            Record::Exec(exec) => self.identifier.declare(&mut state.table, &exec),
        }
    }

    /// Has the perf map of a process with code of no file read, once a second at most.
    fn announce_perf_map(&self, state: &mut State, pid: u32) {
        if pid == 0 || state.perf_maps.get(&pid).is_some_and(|at| at.elapsed() < PERF_MAP_INTERVAL)
        {
            return;
        }
        // Which of the processes that had this pid it is, its first sample tells.
        let start_ns = state.table.get(pid).map_or(0, |process| process.start_time_ns);
        // The next stack of the process, or the window's end, is another chance.
        if start_ns != 0 && self.naming.send_perf_map((pid, start_ns)) {
            state.perf_maps.insert(pid, Instant::now());
        }
    }

    /// Counts a sample whose stack is known.
    fn add_sample(&mut self, state: &mut State, sample: &ir_sample, user_stack: u64) {
        let generation = self.attend(state, sample);
        let Some(process) = state.table.get(sample.pid) else { return };
        let Some(found) = process.generations.get(generation) else { return };
        let key = (sample.pid, sample.start_time_ns, found.since_ns);
        let process = state.window.process(key, || ProcessRef {
            jit_id: (sample.pid, sample.start_time_ns),
            identity: found.identity.clone().unwrap_or_default(),
            mappings: Arc::clone(&found.mappings),
        });
        let thread = sample.comm.map(|byte| byte as u8);
        let key = SampleKey { process, thread, user_stack, kernel_stack: sample.kernel_stack };
        state.window.add(key, sample.time_ns);
        state.samples_in_window += 1;
    }

    /// Makes sure that a sampled process is known as well as it can be. Returns the index of its address space.
    fn attend(&mut self, state: &mut State, sample: &ir_sample) -> usize {
        let pid = sample.pid;
        let process = state.table.entry(pid);
        if process.start_time_ns != 0
            && process.start_time_ns != sample.start_time_ns
            && sample.start_time_ns != 0
        {
            // The pid belongs to another process now, and its fork was lost.
            *process = watch::WatchedProcess::new(watch::Generation::begin(0, false));
        }
        process.start_time_ns = sample.start_time_ns;
        process.is_sampled = true;
        let generation = process.generation_at(sample.time_ns);
        if sample.flags & (abi::IR_SAMPLE_KERNEL_THREAD | abi::IR_SAMPLE_NO_USER_SIDE) == 0 {
            watch::complete(&mut state.table, &self.procfs, pid, generation);
            if let Some(process) = state.table.get_mut(pid)
                && watch::resolve(process, generation, &self.procfs, pid, &mut self.images)
            {
                process.is_dirty = true;
            }
        }
        self.identifier.identify(&mut state.table, sample, generation);
        generation
    }

    /// Takes in what was read of images, and tells the kernel side of every process that is out of date there.
    /// Returns whether there was anything.
    fn settle(&mut self, state: &mut State) -> bool {
        let changed = self.images.settle(&mut self.kernel.tables);
        if !changed.is_empty() {
            for (pid, process) in state.table.iter_mut().filter(|(_, process)| process.is_sampled) {
                let generation = process.generations.len() - 1;
                if watch::resolve(process, generation, &self.procfs, pid, &mut self.images) {
                    process.is_dirty = true;
                }
            }
        }
        state.publisher.publish(&mut state.table, &mut self.kernel, &self.images, &self.procfs);
        !changed.is_empty()
    }

    fn keep_house(&mut self, state: &mut State) {
        if let Err(error) = self.kernel.follow_hotplug() {
            tracing::warn!(%error, "cannot follow CPU hot-plug");
        }
        for pid in state.table.forget(monotonic_ns()) {
            self.kernel.processes.remove(pid);
            state.perf_maps.remove(&pid);
        }
        let (kernel, tables) = (self.kernel.stats(), self.kernel.tables.usage());
        let run_time = self.kernel.run_time();
        self.stats.update(|stats| {
            stats.kernel = kernel.iter().map(|(name, _, value)| (name, value)).collect();
            stats.tables = tables;
            stats.mapping_bytes = self.kernel.processes.slab_bytes();
            stats.images = self.images.len();
            stats.processes = state.table.len();
            stats.lost_process_events = state.table.lost_events;
            stats.damaged_records = self.kernel.damaged_records();
            (stats.bpf_run_ns, stats.bpf_runs) = (run_time.ns, run_time.runs);
            stats.sampler = Some(self.kernel.report());
        });
    }

    fn close_window_if_due(&mut self, state: &mut State) -> Result<(), KernelError> {
        let length = self.pace.window(state.window_index).as_nanos() as u64;
        let is_due = monotonic_ns() >= state.window.start_ns() + length;
        if (is_due && !self.naming.is_behind()) || state.samples_in_window >= MAX_WINDOW_SAMPLES {
            self.close_window(state, monotonic_ns())?;
        }
        Ok(())
    }

    fn close_window(&mut self, state: &mut State, end_ns: u64) -> Result<(), KernelError> {
        self.kernel.next_window()?;
        self.keep_house(state);
        let mut closed = state.window.close(end_ns, self.kernel.stats());
        closed.images = ImageSnapshot::take(&self.images, &closed);
        state.window_index += 1;
        let samples = std::mem::take(&mut state.samples_in_window) as u64;
        // At the end nothing is left to be late for.
        let is_last = self.stop.load(Ordering::Acquire);
        let window = Box::new(closed);
        let is_sent = if is_last {
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
}
