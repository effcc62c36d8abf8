//! Samples: whose they are, what is still to be read for them, and how they are counted.

use std::sync::Arc;

use infrared_bpf::{
    UserStack,
    abi::{self, ir_sample},
};

use super::{Command, Pipeline};
use crate::{
    losses::Loss,
    reader::{Ask, CodeWanted, Question},
    watch::{Asked, Sighting, Space, SpaceId},
    window::{SampleKey, Seen},
};

/// How often the perf map of a process is asked for at most, in nanoseconds.
const PERF_MAP_INTERVAL_NS: u64 = 1_000_000_000;
/// An answer that takes longer, in nanoseconds, does not come: the process holds up whoever reads it.
const ANSWER_PATIENCE_NS: u64 = 5_000_000_000;
/// Starts of the hashes of stacks that are known not to be known.
const STALE_HASH: u64 = 0x7374_616c_6500_0000;

impl Pipeline {
    /// Counts a sample whose stack is known.
    pub(super) fn add_sample(&mut self, sample: &ir_sample, user_stack: u64, now_ns: u64) {
        let space_id = self.attend(sample, now_ns);
        let user_stack = self.doubt_stale(sample, space_id, user_stack);
        self.see_functions(sample, space_id, user_stack, now_ns);
        let Some(space) = self.table.space(sample.pid, space_id) else { return };
        let seen = Seen {
            jit_id: (sample.pid, sample.start_time_ns),
            thread: thread_of(sample),
            is_kernel_thread: sample.flags & abi::IR_SAMPLE_KERNEL_THREAD != 0,
        };
        let process = self.window.process(sample.pid, space, seen);
        let thread = seen.thread;
        let kernel_stack = sample.kernel_stack;
        // Code of no file has whose it is in its stack.
        if self.window.user_stack(user_stack).is_some_and(|stack| stack.has_anonymous_code()) {
            self.ask_for_perf_map(sample, now_ns);
        }
        self.window.add(SampleKey { process, thread, user_stack, kernel_stack }, sample.time_ns);
    }

    /// Sees to it that a sampled process will be known as well as it can be. Returns its address space.
    pub(super) fn attend(&mut self, sample: &ir_sample, now_ns: u64) -> SpaceId {
        let sighting = Sighting {
            pid: sample.pid,
            tid: sample.tid,
            start_time_ns: sample.start_time_ns,
            time_ns: sample.time_ns,
        };
        let space = self.table.sighted(&sighting).space_at(sample.time_ns).id;
        let has_user_side =
            sample.flags & (abi::IR_SAMPLE_KERNEL_THREAD | abi::IR_SAMPLE_NO_USER_SIDE) == 0;
        self.ask_for(sample.pid, space, has_user_side, now_ns);
        let process = self.table.with_space(sample.pid, space);
        if has_user_side && process.is_some_and(|process| !process.is_readable(space)) {
            self.inherit(sample.pid, space, now_ns);
            self.ask_parent(sample.pid, space, now_ns);
        }
        space
    }

    /// Has read what is lacking of an address space.
    pub(super) fn ask_for(&mut self, pid: u32, space: SpaceId, with_code: bool, now_ns: u64) {
        let Some(process) = self.table.of_space(pid, space) else { return };
        let is_current = process.current().id == space && process.exited_ns.is_none();
        let Some(space) = process.space_mut(space) else { return };
        match space.asked {
            Asked::Waits(since_ns) if now_ns.saturating_sub(since_ns) < ANSWER_PATIENCE_NS => {
                return;
            }
            Asked::Waits(_) => {
                self.losses.add(Loss::Unanswered, 1);
                space.asked = Asked::Gone;
            }
            Asked::Gone | Asked::Nothing => {}
        }
        let is_gone = space.asked == Asked::Gone;
        let is_current = is_current && !is_gone;
        let lacks_code = with_code && is_current && lacks_code(space);
        let ask = Ask {
            pid,
            space: space.id,
            is_current,
            code: if lacks_code && !space.is_complete {
                CodeWanted::MappingsAndFiles
            } else {
                CodeWanted::Nothing
            },
            identity: is_current && space.identity.is_none(),
            files: if with_code { space.take_unresolved() } else { Vec::new() },
            functions: if is_current { space.wanted_functions.take() } else { Vec::new() },
            runtimes: if is_current {
                space.runtimes.attachments.due(now_ns).to_vec()
            } else {
                Vec::new()
            },
        };
        let wants_memory = !ask.functions.is_empty() || !ask.runtimes.is_empty();
        let wants_parts = ask.identity || !ask.files.is_empty() || wants_memory;
        if !(lacks_code || wants_parts) {
            if !is_current && space.asked == Asked::Nothing {
                space.asked = Asked::Gone;
            }
            return;
        }
        space.asked = Asked::Waits(now_ns);
        self.questions += 1;
        self.function_questions += usize::from(!ask.functions.is_empty());
        self.commands.push(Command::Ask(Question::Process(ask)));
    }

    /// A question has its answer, or will have none.
    pub(super) fn answered_functions(&mut self, ask: &Ask) {
        let was_about_functions = !ask.functions.is_empty();
        self.function_questions =
            self.function_questions.saturating_sub(usize::from(was_about_functions));
    }

    /// Has the functions read that frames of runtimes run, when a stack is seen for the first time in its window.
    fn see_functions(&mut self, sample: &ir_sample, id: SpaceId, user_stack: u64, now_ns: u64) {
        let Some(stack) = self.window.user_stack(user_stack).filter(|stack| stack.pid != 0) else {
            return;
        };
        if !self.seen_stacks.insert(user_stack) {
            return;
        }
        let stack = Arc::clone(stack);
        let process = self.table.of_space(sample.pid, id);
        let Some(space) = process.and_then(|process| process.space_mut(id)) else { return };
        stack.frames.iter().for_each(|frame| space.see(frame));
        if !space.wanted_functions.is_empty() {
            self.ask_for(sample.pid, id, true, now_ns);
        }
    }

    /// The reader had no room for a question.
    pub(crate) fn unasked(&mut self, question: Question) {
        self.losses.add(Loss::Unasked, 1);
        self.questions = self.questions.saturating_sub(1);
        if let Question::Process(ask) = &question {
            self.answered_functions(ask);
        }
        if let Question::Process(ask) = question
            && let Some(process) = self.table.of_space(ask.pid, ask.space)
            && let Some(space) = process.space_mut(ask.space)
        {
            // Its next sample asks again.
            space.asked = Asked::Nothing;
        }
    }

    /// A stack is not believed that leads through a range in which the kernel side took other code to be than there was.
    fn doubt_stale(&mut self, sample: &ir_sample, space: SpaceId, user_stack: u64) -> u64 {
        let Some(space) = self.table.space(sample.pid, space) else { return user_stack };
        let mut stale = space.stale_at(sample.time_ns).peekable();
        if user_stack == 0 || stale.peek().is_none() {
            return user_stack;
        }
        let Some(stack) = self.window.user_stack(user_stack) else { return user_stack };
        if !stale.any(|replaced| stack.frames.iter().any(|frame| replaced.held(frame))) {
            return user_stack;
        }
        let hash = STALE_HASH ^ u64::from(sample.pid);
        self.losses.add(Loss::StaleStack, 1);
        self.window.add_user_stack(UserStack {
            hash,
            stop_reason: abi::IR_STOP_MAPPINGS_CHANGED,
            pid: 0,
            frames: Vec::new(),
        });
        hash
    }

    /// Has the perf map of a process with code of no file read while it runs, once a second at most: between two readings
    /// nobody can tell when code took the place of other code.
    fn ask_for_perf_map(&mut self, sample: &ir_sample, now_ns: u64) {
        let is_due = |at_ns: &u64| now_ns.saturating_sub(*at_ns) >= PERF_MAP_INTERVAL_NS;
        if self.perf_maps.get(&sample.pid).is_none_or(is_due) {
            self.perf_maps.insert(sample.pid, now_ns);
            self.commands.push(Command::ReadPerfMap((sample.pid, sample.start_time_ns)));
        }
    }

    /// Reads the mappings of processes that ran before us, some in each turn: their children will need them.
    pub(super) fn scan(&mut self, now_ns: u64) {
        const BATCH: usize = 16;
        for _ in 0..BATCH {
            let Some(pid) = self.unscanned.pop() else { return };
            let space = self.table.entry(pid).current_mut();
            if space.asked != Asked::Nothing || !lacks_code(space) {
                continue;
            }
            space.asked = Asked::Waits(now_ns);
            let ask = Ask {
                pid,
                space: space.id,
                is_current: true,
                code: CodeWanted::Mappings,
                identity: false,
                files: Vec::new(),
                functions: Vec::new(),
                runtimes: Vec::new(),
            };
            self.questions += 1;
            self.commands.push(Command::Ask(Question::Process(ask)));
        }
    }
}

/// Mappings, or what tells them from those of another exec.
fn lacks_code(space: &Space) -> bool {
    !space.is_complete || space.start_stack == 0
}

pub(super) fn thread_of(sample: &ir_sample) -> [u8; 16] {
    sample.comm.map(|byte| byte as u8)
}
