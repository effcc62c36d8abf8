//! Gathers the kernel's records. Pure.
//!
//! A stack comes once a window, ahead of the first sample that has it. A sample that was taken while one window gave
//! way to the next may refer to a stack that came in the last one: those are kept for one window more. A sample that had
//! to wait for its tables counts in the window in which it was taken.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::Arc,
};

use infrared_bpf::{KernelStack, UserStack};
use infrared_symbolize::JitProcess;

use super::{
    closed::{ClosedWindow, EarlierStacks, KernelSymbol, Span},
    snapshot::ImageSnapshot,
};
use crate::watch::{Functions, MappingSet, ProcessIdentity, Space, SpaceId};

/// A process in one of its address spaces, as a window remembers it.
#[derive(Clone, Debug)]
pub(crate) struct ProcessRef {
    pub(crate) pid: u32,
    pub(crate) space: SpaceId,
    pub(crate) seen: Seen,
    /// Filled in when the window closes, or the address space is forgotten.
    pub(crate) identity: Option<Arc<ProcessIdentity>>,
    pub(crate) mappings: Arc<MappingSet>,
    /// Filled in when the window closes.
    pub(crate) functions: Arc<Functions>,
}

/// What a sample tells of its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) jit_id: JitProcess,
    /// Name of the thread that was sampled first.
    pub(crate) thread: [u8; 16],
    pub(crate) is_kernel_thread: bool,
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

/// `CLOCK_MONOTONIC` times of the samples of each key.
pub(crate) type Samples = HashMap<SampleKey, Vec<u64>>;

/// Windows that have closed are remembered so long: longer than a sample waits.
const LATE_NS: u64 = 12_000_000_000;
const MAX_SPANS: usize = 16;
/// Comings and goings of kernel code that a window holds; after more, what is there is looked up.
const MAX_KERNEL_SYMBOLS: usize = 8192;

/// The window that is open.
#[derive(Debug)]
pub(crate) struct Window {
    start_ns: u64,
    processes: Vec<ProcessRef>,
    process_ids: HashMap<(SpaceId, u32), u32>,
    samples: Samples,
    late: HashMap<Span, Samples>,
    user_stacks: HashMap<u64, Arc<UserStack>>,
    kernel_stacks: HashMap<u64, Arc<KernelStack>>,
    earlier: Arc<EarlierStacks>,
    kernel_symbols: Vec<KernelSymbol>,
    lost_kernel_symbols: Option<Span>,
    /// Of the windows before, newest last.
    spans: VecDeque<Span>,
    count: usize,
}

impl Window {
    pub(crate) fn open(start_ns: u64) -> Self {
        Self {
            start_ns,
            processes: Vec::new(),
            process_ids: HashMap::new(),
            samples: HashMap::new(),
            late: HashMap::new(),
            user_stacks: HashMap::new(),
            kernel_stacks: HashMap::new(),
            earlier: Arc::default(),
            kernel_symbols: Vec::new(),
            lost_kernel_symbols: None,
            spans: VecDeque::new(),
            count: 0,
        }
    }

    pub(crate) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Samples in it.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn add_user_stack(&mut self, stack: UserStack) {
        self.user_stacks.insert(stack.hash, Arc::new(stack));
    }

    pub(crate) fn add_kernel_stack(&mut self, stack: Arc<KernelStack>) {
        self.kernel_stacks.insert(stack.hash, stack);
    }

    pub(crate) fn add_kernel_symbol(&mut self, symbol: KernelSymbol) {
        if self.kernel_symbols.len() < MAX_KERNEL_SYMBOLS {
            self.kernel_symbols.push(symbol);
        } else {
            self.lose_kernel_symbols(Span {
                start_ns: symbol.time_ns.saturating_sub(1),
                end_ns: symbol.time_ns,
            });
        }
    }

    /// Of what came and went in the kernel in this time, some was not heard.
    pub(crate) fn lose_kernel_symbols(&mut self, lost: Span) {
        let known = self.lost_kernel_symbols.unwrap_or(lost);
        self.lost_kernel_symbols = Some(Span {
            start_ns: known.start_ns.min(lost.start_ns),
            end_ns: known.end_ns.max(lost.end_ns),
        });
    }

    pub(crate) fn user_stack(&self, hash: u64) -> Option<&Arc<UserStack>> {
        self.user_stacks.get(&hash).or_else(|| self.earlier.user.get(&hash))
    }

    pub(crate) fn kernel_stack(&self, hash: u64) -> Option<&Arc<KernelStack>> {
        self.kernel_stacks.get(&hash).or_else(|| self.earlier.kernel.get(&hash))
    }

    /// The number of a process in its address space. An address means something else once another mapping has taken the
    /// place of one: from then on it is another number. What is mapped besides is added.
    pub(crate) fn process(&mut self, pid: u32, space: &Space, seen: Seen) -> u32 {
        let processes = &mut self.processes;
        let index = *self.process_ids.entry((space.id, space.era)).or_insert_with(|| {
            processes.push(ProcessRef {
                pid,
                space: space.id,
                seen,
                identity: None,
                mappings: Arc::clone(&space.mappings),
                functions: Arc::default(),
            });
            (processes.len() - 1) as u32
        });
        if let Some(known) = self.processes.get_mut(index as usize)
            && !Arc::ptr_eq(&known.mappings, &space.mappings)
        {
            known.mappings = Arc::clone(&space.mappings);
        }
        index
    }

    /// Takes over what is known of an address space, before it is forgotten or the window closes.
    pub(crate) fn learn(&mut self, space: SpaceId, identity: &Arc<ProcessIdentity>) {
        for known in self.processes.iter_mut().filter(|known| known.space == space) {
            known.identity.get_or_insert_with(|| Arc::clone(identity));
        }
    }

    /// Takes over the functions of an address space that are known by now, before they are forgotten.
    pub(crate) fn learn_functions(&mut self, space: SpaceId, functions: &Arc<Functions>) {
        let known = self.processes.iter_mut().filter(|known| known.space == space);
        known.for_each(|known| known.functions = Arc::clone(functions));
    }

    /// The address spaces that it has samples of.
    pub(crate) fn processes(&self) -> &[ProcessRef] {
        &self.processes
    }

    pub(crate) fn add(&mut self, key: SampleKey, time_ns: u64) {
        let late = (time_ns < self.start_ns)
            .then(|| self.spans.iter().rev().find(|span| span.contains(time_ns)))
            .flatten();
        let samples = match late {
            Some(span) => self.late.entry(*span).or_default(),
            None => &mut self.samples,
        };
        samples.entry(key).or_default().push(time_ns);
        self.count += 1;
    }

    /// Ends the window at `end_ns`, not before its start, and begins the next.
    pub(crate) fn close(&mut self, end_ns: u64) -> ClosedWindow {
        let end_ns = end_ns.max(self.start_ns);
        let span = Span { start_ns: mem::replace(&mut self.start_ns, end_ns), end_ns };
        self.spans.push_back(span);
        while self.spans.len() > MAX_SPANS
            || self.spans.front().is_some_and(|span| span.end_ns + LATE_NS < end_ns)
        {
            self.spans.pop_front();
        }
        self.process_ids.clear();
        self.count = 0;
        let closed = ClosedWindow {
            span,
            processes: mem::take(&mut self.processes),
            samples: mem::take(&mut self.samples),
            late: mem::take(&mut self.late).into_iter().collect(),
            user_stacks: mem::take(&mut self.user_stacks),
            kernel_stacks: mem::take(&mut self.kernel_stacks),
            earlier: Arc::clone(&self.earlier),
            kernel_symbols: mem::take(&mut self.kernel_symbols),
            lost_kernel_symbols: mem::take(&mut self.lost_kernel_symbols),
            counters: Vec::new(),
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
    use crate::watch::Origin;

    fn key(user_stack: u64) -> SampleKey {
        SampleKey { process: 0, thread: [0; 16], user_stack, kernel_stack: 0 }
    }

    fn stack(hash: u64) -> UserStack {
        UserStack { hash, stop_reason: 0, pid: 0, frames: Vec::new() }
    }

    #[test]
    fn a_stack_of_the_window_before_is_still_found_but_not_of_the_one_before_that() {
        let mut window = Window::open(0);
        window.add_user_stack(stack(7));
        window.add(key(7), 5);
        assert!(window.close(10).user_stack(7).is_some());
        window.add(key(7), 11);
        let second = window.close(20);
        assert!(second.user_stack(7).is_some());
        assert_eq!((second.span.start_ns, second.samples[&key(7)].as_slice()), (10, &[11][..]));
        assert!(window.close(30).user_stack(7).is_none());
    }

    #[test]
    fn a_sample_that_waited_counts_in_the_window_that_it_was_taken_in() {
        let mut window = Window::open(0);
        window.close(10);
        window.close(20);
        for time in [9, 10, 15, 20, 25] {
            window.add(key(1), time);
        }
        let mut closed = window.close(30);
        assert_eq!(closed.samples[&key(1)], [20, 25]);
        closed.late.sort_by_key(|(span, _)| span.start_ns);
        let late: Vec<_> =
            closed.late.iter().map(|(span, s)| (span.start_ns, &*s[&key(1)])).collect();
        assert_eq!(late, [(0, &[9][..]), (10, &[10, 15])]);
    }

    #[test]
    fn what_is_too_much_of_the_kernel_s_changes_is_lost_from_then_on() {
        let mut window = Window::open(0);
        let most = MAX_KERNEL_SYMBOLS as u64;
        for time_ns in 1..=most + 2 {
            let (address, length, name, is_gone) = (0x1000, 1, "x".to_owned(), false);
            window.add_kernel_symbol(KernelSymbol { time_ns, address, length, name, is_gone });
        }
        let lost = window.close(most + 9).lost_kernel_symbols;
        assert_eq!(lost, Some(Span { start_ns: most, end_ns: most + 2 }));
        assert_eq!(window.close(most + 10).lost_kernel_symbols, None);
    }

    #[test]
    fn what_is_mapped_later_is_added_and_what_takes_another_s_place_is_apart() {
        let mut window = Window::open(0);
        let mut space = Space::begin(SpaceId(1), Origin::Exec, 0);
        let mapping = |start: u64, inode: u64| {
            let line = format!("{start:x}-{:x} r-xp 0 fe:00 {inode} /lib/a.so", start + 0x1000);
            infrared_processes::maps::MappingRef::parse(line.as_bytes()).unwrap().to_mapping()
        };
        space.map(1, mapping(0x1000, 1));
        assert_eq!(window.process(5, &space, Seen::default()), 0);
        space.map(2, mapping(0x2000, 1));
        assert_eq!(window.process(5, &space, Seen::default()), 0);
        space.map(3, mapping(0x1000, 2));
        assert_eq!(window.process(5, &space, Seen::default()), 1);
        let closed = window.close(10);
        let inode =
            |index: usize, at| closed.processes[index].mappings.find(at).map(|m| m.mapping.inode);
        assert_eq!(
            (inode(0, 0x1000), inode(0, 0x2000), inode(1, 0x1000)),
            (Some(1), Some(1), Some(2))
        );
    }
}
