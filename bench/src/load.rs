//! A CPU-bound load on all processors that counts what it gets done.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Frames below which the work is done: a usual depth of server code.
const DEPTH: u32 = 30;
/// Steps between two looks at the clock's flag.
const CHUNK: u64 = 20_000;

/// Works until it is dropped.
#[derive(Debug)]
pub(crate) struct CpuLoad {
    done: Vec<Arc<Slot>>,
    stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// On a cache line of its own: counting must not slow the neighbours.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Slot(AtomicU64);

impl CpuLoad {
    /// One thread per processor.
    pub(crate) fn start() -> Result<Self> {
        let count = std::thread::available_parallelism().context("no count of processors")?.get();
        let stopped = Arc::new(AtomicBool::new(false));
        let done: Vec<Arc<Slot>> = (0..count).map(|_| Arc::default()).collect();
        let spawn = |(index, slot): (usize, &Arc<Slot>)| {
            let (slot, stopped) = (Arc::clone(slot), Arc::clone(&stopped));
            let thread = std::thread::Builder::new().name(format!("load-{index}"));
            thread.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    black_box(descend(DEPTH, CHUNK));
                    slot.0.fetch_add(CHUNK, Ordering::Relaxed);
                }
            })
        };
        let threads = done.iter().enumerate().map(spawn).collect::<std::io::Result<_>>()?;
        Ok(Self { done, stopped, threads })
    }

    /// Steps per second over `duration` from now.
    pub(crate) fn throughput(&self, duration: Duration) -> f64 {
        let (start, before) = (Instant::now(), self.steps());
        wait(duration);
        (self.steps() - before) as f64 / start.elapsed().as_secs_f64()
    }

    fn steps(&self) -> u64 {
        self.done.iter().map(|slot| slot.0.load(Ordering::Relaxed)).sum()
    }
}

impl Drop for CpuLoad {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A worker does not panic.
            drop(thread.join());
        }
    }
}

/// Lets time go by: the length of a measurement, not a wait for something.
pub(crate) fn wait(duration: Duration) {
    let end = Instant::now() + duration;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left);
    }
}

#[inline(never)]
fn descend(left: u32, steps: u64) -> u64 {
    let result = if left == 0 { work(steps) } else { descend(black_box(left - 1), steps) };
    black_box(result)
}

#[inline(never)]
fn work(steps: u64) -> u64 {
    let mut x = black_box(88_172_645_463_325_252u64);
    for _ in 0..steps {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}
