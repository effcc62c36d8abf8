//! Decides what the agent does: samples and events in, commands out. Pure: it reads no file, asks no clock and touches
//! the kernel side by its commands and by [`Tables`] alone, so that recorded inputs replay as tests.
//!
//! A turn takes the events first, then what was read, then the samples: each is only looked at once the events are
//! complete up to its time, so that it meets its process as it was.

mod answers;
mod chosen;
mod command;
mod deferred;
mod deferred_queue;
mod gone;
mod house;
mod publishing;
mod runtimes;
mod samples;
#[cfg(test)]
mod tests;
mod windows;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
};

use infrared_bpf::Record;

use self::deferred_queue::{DeferredQueue, News};
use crate::{
    config::Pace,
    images::ImageRegistry,
    losses::Losses,
    reader::Answer,
    watch::{ProcessTable, SpaceId},
    window::Window,
};

pub(crate) use command::{Command, Input, Tables};

/// The service that an environment declares: entries that end with a NUL each.
pub(crate) type DeclaredService = dyn Fn(&[u8]) -> Option<String> + Send;

/// What stays the same from turn to turn.
pub(crate) struct PipelineConfig {
    pub(crate) pace: Pace,
    /// Shown as `host.name`.
    pub(crate) host_name: String,
    pub(crate) declared_service: Box<DeclaredService>,
}

impl fmt::Debug for PipelineConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineConfig").field("pace", &self.pace).finish_non_exhaustive()
    }
}

/// What is remembered between turns.
#[derive(Debug)]
pub(crate) struct Pipeline {
    config: PipelineConfig,
    table: ProcessTable,
    images: ImageRegistry,
    deferred: DeferredQueue,
    window: Window,
    window_index: u64,
    /// Records of a time whose process events are not all there yet; and what was read then.
    early: Vec<Record>,
    early_answers: Vec<Answer>,
    /// Processes of before our start whose mappings nobody has looked at.
    unscanned: Vec<u32>,
    /// Questions without an answer yet.
    questions: usize,
    /// Of these, and of the answers that wait, those about functions: samples have no names without them.
    function_questions: usize,
    /// Address spaces whose runtimes were learnt anew: what they need of pages is to be asked for.
    lacking_pages: BTreeSet<(u32, SpaceId)>,
    /// When the perf maps of processes were last asked for, by pid.
    perf_maps: HashMap<u32, u64>,
    /// Stacks with frames of runtimes that were seen in the open window.
    seen_stacks: HashSet<u64>,
    last_house_ns: u64,
    losses: Losses,
    commands: Vec<Command>,
}

impl Pipeline {
    /// `running`: the processes that were there before.
    pub(crate) fn new(
        config: PipelineConfig,
        images: ImageRegistry,
        running: Vec<u32>,
        now_ns: u64,
    ) -> Self {
        Self {
            config,
            table: ProcessTable::default(),
            images,
            deferred: DeferredQueue::default(),
            window: Window::open(now_ns),
            window_index: 0,
            early: Vec::new(),
            early_answers: Vec::new(),
            unscanned: running,
            questions: 0,
            function_questions: 0,
            lacking_pages: BTreeSet::new(),
            perf_maps: HashMap::new(),
            seen_stacks: HashSet::new(),
            last_house_ns: now_ns,
            losses: Losses::default(),
            commands: Vec::new(),
        }
    }

    /// One turn.
    pub(crate) fn turn(&mut self, input: Input, tables: &mut dyn Tables) -> Vec<Command> {
        let Input { records, events, horizon_ns, replies, now_ns, is_naming_behind } = input;
        for event in events {
            self.note_kernel_symbol(&event);
            self.table.apply(event);
        }
        // What the kernel side knows of these may be out of date, too. They go on to be sampled.
        let doubted = self.table.take_doubted().into_iter();
        self.commands.extend(doubted.map(Command::ForgetMappings));
        let mut news = self.take_replies(replies, horizon_ns, now_ns);
        let mut early = std::mem::take(&mut self.early);
        early.extend(records);
        for record in early {
            self.want_missing(&record, tables);
            if time_of(&record).is_some_and(|time_ns| time_ns > horizon_ns) {
                self.early.push(record);
            } else {
                self.take_record(record, now_ns);
            }
        }
        if self.take_images(tables) {
            news = News::Some;
        }
        self.want_pages_of_runtimes(tables);
        self.retry_deferred(news, now_ns, tables);
        self.publish();
        self.scan(now_ns);
        self.keep_house(now_ns, tables);
        self.learn_forgotten();
        self.close_window_if_due(now_ns, is_naming_behind);
        std::mem::take(&mut self.commands)
    }

    /// Whether something is on its way that the next turn will need soon.
    pub(crate) fn is_busy(&self) -> bool {
        self.images.is_busy() || !self.unscanned.is_empty() || !self.early.is_empty()
    }

    /// At the end: whether samples still wait for something that may come.
    pub(crate) fn is_waiting(&self) -> bool {
        let is_read = self.images.is_busy() || self.questions > 0 || !self.early_answers.is_empty();
        !self.early.is_empty() || (is_read && (!self.deferred.is_empty() || self.window_waits()))
    }

    /// The end: everything that waits is dealt with as it is, and the last window closes.
    pub(crate) fn finish(&mut self, end_ns: u64, tables: &mut dyn Tables) -> Vec<Command> {
        for record in std::mem::take(&mut self.early) {
            self.take_record(record, end_ns);
        }
        self.finish_deferred(tables);
        self.learn_forgotten();
        self.close_window(end_ns);
        std::mem::take(&mut self.commands)
    }

    fn take_record(&mut self, record: Record, now_ns: u64) {
        match record {
            Record::UserStack(stack) => self.window.add_user_stack(stack),
            Record::KernelStack(stack) => self.window.add_kernel_stack(stack.into()),
            Record::Sample(sample) => self.add_sample(&sample, sample.user_stack, now_ns),
            Record::Deferred(sample) => self.defer(sample, now_ns),
            Record::Exec(exec) => self.declare(&exec),
        }
    }
}

/// When it was taken, `CLOCK_MONOTONIC`; `None` of what has no time of its own.
fn time_of(record: &Record) -> Option<u64> {
    match record {
        Record::Sample(sample) => Some(sample.time_ns),
        Record::Deferred(deferred) => Some(deferred.sample.time_ns),
        Record::Exec(exec) => Some(exec.time_ns),
        Record::UserStack(_) | Record::KernelStack(_) => None,
    }
}
