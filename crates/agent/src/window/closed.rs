//! A window that has ended: everything that naming needs, and nothing that changes any more.

use std::{collections::HashMap, sync::Arc};

use infrared_bpf::{KernelStack, UserStack};

use super::{
    accumulate::{ProcessRef, Samples},
    snapshot::ImageSnapshot,
};

/// The time of a window, `CLOCK_MONOTONIC`; the end is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
}

impl Span {
    pub(crate) fn contains(&self, time_ns: u64) -> bool {
        (self.start_ns..self.end_ns).contains(&time_ns)
    }
}

/// Kernel code without a file that came, or went, at a time (`CLOCK_MONOTONIC`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelSymbol {
    pub(crate) time_ns: u64,
    pub(crate) address: u64,
    /// Bytes.
    pub(crate) length: u32,
    pub(crate) name: String,
    pub(crate) is_gone: bool,
}

/// Everything of a window that ended.
#[derive(Debug)]
pub(crate) struct ClosedWindow {
    pub(crate) span: Span,
    pub(crate) processes: Vec<ProcessRef>,
    pub(crate) samples: Samples,
    /// Samples of windows before, which had to wait.
    pub(crate) late: Vec<(Span, Samples)>,
    pub(crate) user_stacks: HashMap<u64, Arc<UserStack>>,
    pub(crate) kernel_stacks: HashMap<u64, Arc<KernelStack>>,
    /// Stacks of the window before.
    pub(crate) earlier: Arc<EarlierStacks>,
    /// Of kernel code without a file, what came and went since the window before, in order of time.
    pub(crate) kernel_symbols: Vec<KernelSymbol>,
    /// When some of these were lost.
    pub(crate) lost_kernel_symbols: Option<Span>,
    /// The kernel's counters over the window.
    pub(crate) counters: Vec<(&'static str, u64)>,
    /// The images that its stacks name.
    pub(crate) images: ImageSnapshot,
}

/// Stacks of a window that ended.
#[derive(Debug, Default)]
pub(crate) struct EarlierStacks {
    pub(super) user: HashMap<u64, Arc<UserStack>>,
    pub(super) kernel: HashMap<u64, Arc<KernelStack>>,
}

impl ClosedWindow {
    pub(crate) fn user_stack(&self, hash: u64) -> Option<&UserStack> {
        self.user_stacks.get(&hash).or_else(|| self.earlier.user.get(&hash)).map(|stack| &**stack)
    }

    pub(crate) fn kernel_stack(&self, hash: u64) -> Option<&KernelStack> {
        self.kernel_stacks
            .get(&hash)
            .or_else(|| self.earlier.kernel.get(&hash))
            .map(|stack| &**stack)
    }

    /// All its samples, those that had to wait among them.
    pub(crate) fn all_samples(&self) -> impl Iterator<Item = (&super::SampleKey, &Vec<u64>)> {
        self.samples.iter().chain(self.late.iter().flat_map(|(_, samples)| samples))
    }
}
