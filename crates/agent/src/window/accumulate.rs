//! Gathers the kernel's records. Pure.
//!
//! A stack comes once a window, ahead of the first sample that has it. A sample that was taken while one window gave
//! way to the next may refer to a stack that came in the last one: those are kept for one window more.

use std::{collections::HashMap, mem, sync::Arc};

use infrared_bpf::{KernelStack, Stats, UserStack};
use infrared_symbolize::JitProcess;

use super::snapshot::ImageSnapshot;
use crate::watch::{MappingSet, ProcessIdentity};

/// A process in one of its address spaces, as a window remembers it.
#[derive(Clone, Debug)]
pub(crate) struct ProcessRef {
    pub(crate) jit_id: JitProcess,
    pub(crate) identity: Arc<ProcessIdentity>,
    pub(crate) mappings: Arc<MappingSet>,
}

/// What samples are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SampleKey {
    /// Index into [`ClosedWindow::processes`].
    pub(crate) process: u32,
    /// Name of the thread.
    pub(crate) thread: [u8; 16],
    /// Hash of the user stack; 0 where there is none.
    pub(crate) user_stack: u64,
    pub(crate) kernel_stack: u64,
}

/// Everything of a window that ended.
#[derive(Debug)]
pub(crate) struct ClosedWindow {
    /// `CLOCK_MONOTONIC`.
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) processes: Vec<ProcessRef>,
    /// `CLOCK_MONOTONIC` times of the samples of each key.
    pub(crate) samples: HashMap<SampleKey, Vec<u64>>,
    pub(crate) user_stacks: HashMap<u64, UserStack>,
    pub(crate) kernel_stacks: HashMap<u64, KernelStack>,
    /// Stacks of the window before.
    pub(crate) earlier: Arc<EarlierStacks>,
    /// The kernel's counters over the window.
    pub(crate) counters: Vec<(&'static str, u64)>,
    /// The images that its stacks name.
    pub(crate) images: ImageSnapshot,
}

/// Stacks of a window that ended.
#[derive(Debug, Default)]
pub(crate) struct EarlierStacks {
    user: HashMap<u64, UserStack>,
    kernel: HashMap<u64, KernelStack>,
}

impl ClosedWindow {
    pub(crate) fn user_stack(&self, hash: u64) -> Option<&UserStack> {
        self.user_stacks.get(&hash).or_else(|| self.earlier.user.get(&hash))
    }

    pub(crate) fn kernel_stack(&self, hash: u64) -> Option<&KernelStack> {
        self.kernel_stacks.get(&hash).or_else(|| self.earlier.kernel.get(&hash))
    }
}

/// The window that is open.
#[derive(Debug)]
pub(crate) struct Window {
    start_ns: u64,
    processes: Vec<ProcessRef>,
    process_ids: HashMap<(u32, u64, u64), u32>,
    samples: HashMap<SampleKey, Vec<u64>>,
    user_stacks: HashMap<u64, UserStack>,
    kernel_stacks: HashMap<u64, KernelStack>,
    earlier: Arc<EarlierStacks>,
    at_start: Stats,
}

impl Window {
    pub(crate) fn open(start_ns: u64, at_start: Stats) -> Self {
        Self {
            start_ns,
            processes: Vec::new(),
            process_ids: HashMap::new(),
            samples: HashMap::new(),
            user_stacks: HashMap::new(),
            kernel_stacks: HashMap::new(),
            earlier: Arc::default(),
            at_start,
        }
    }

    pub(crate) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    pub(crate) fn add_user_stack(&mut self, stack: UserStack) {
        self.user_stacks.insert(stack.hash, stack);
    }

    pub(crate) fn add_kernel_stack(&mut self, stack: KernelStack) {
        self.kernel_stacks.insert(stack.hash, stack);
    }

    /// The number of a process in its address space (pid, start of the process, start of the address space); `make`
    /// is asked at first sight.
    pub(crate) fn process(
        &mut self,
        key: (u32, u64, u64),
        make: impl FnOnce() -> ProcessRef,
    ) -> u32 {
        let processes = &mut self.processes;
        *self.process_ids.entry(key).or_insert_with(|| {
            processes.push(make());
            (processes.len() - 1) as u32
        })
    }

    pub(crate) fn add(&mut self, key: SampleKey, time_ns: u64) {
        self.samples.entry(key).or_default().push(time_ns);
    }

    /// Ends the window at `end_ns` and begins the next.
    pub(crate) fn close(&mut self, end_ns: u64, stats: Stats) -> ClosedWindow {
        let counters = stats
            .iter()
            .zip(self.at_start.iter())
            .map(|((name, _, now), (_, _, then))| (name, now - then))
            .collect();
        self.at_start = stats;
        self.process_ids.clear();
        let closed = ClosedWindow {
            start_ns: mem::replace(&mut self.start_ns, end_ns),
            end_ns,
            processes: mem::take(&mut self.processes),
            samples: mem::take(&mut self.samples),
            user_stacks: mem::take(&mut self.user_stacks),
            kernel_stacks: mem::take(&mut self.kernel_stacks),
            earlier: Arc::clone(&self.earlier),
            counters,
            images: ImageSnapshot::default(),
        };
        self.earlier = Arc::new(EarlierStacks {
            user: closed.user_stacks.clone(),
            kernel: closed.kernel_stacks.clone(),
        });
        closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user_stack: u64) -> SampleKey {
        SampleKey { process: 0, thread: [0; 16], user_stack, kernel_stack: 0 }
    }

    fn stack(hash: u64) -> UserStack {
        UserStack { hash, stop_reason: 0, pid: 0, frames: Vec::new() }
    }

    #[test]
    fn a_stack_of_the_window_before_is_still_found_but_not_of_the_one_before_that() {
        let mut window = Window::open(0, Stats::default());
        window.add_user_stack(stack(7));
        window.add(key(7), 5);
        assert!(window.close(10, Stats::default()).user_stack(7).is_some());
        window.add(key(7), 11);
        let second = window.close(20, Stats::default());
        assert!(second.user_stack(7).is_some());
        assert_eq!((second.start_ns, second.samples[&key(7)].as_slice()), (10, &[11][..]));
        assert!(window.close(30, Stats::default()).user_stack(7).is_none());
    }
}
