//! The reading threads. One does the work; should it be held up by what a process controls (a file system in user space,
//! memory that is never filled in), another takes its place, and nothing more is read of that user's processes.

use std::{
    collections::{HashSet, VecDeque},
    io,
    os::{fd::AsFd, fd::BorrowedFd, fd::OwnedFd, unix::fs::MetadataExt},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    time::Duration,
};

use infrared_bpf::monotonic_ns;
use infrared_processes::{
    Pid, ProcFs, ProcessDir,
    maps::{MapLimits, Mapping},
};
use rustix::event::{EventfdFlags, eventfd};

use super::{
    Answer, Ask, CodeWanted, FoundFile, FoundProcess, Identifier, NOBODY, Question, Reply,
    files::Opener, functions,
};
use crate::{
    copies::Copier,
    health::{Health, Pulse},
    watch::MAX_EAGER,
};

/// Questions that wait at most.
const MAX_QUESTIONS: usize = 2048;
/// Answers that wait to be taken at most.
const MAX_REPLIES: usize = 1024;
/// A thread that takes longer for one question is taken to be held up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Threads at most; with all of them held up, nothing is read any more, and that is said.
const MAX_THREADS: usize = 8;

/// There is no room for another question.
#[derive(Debug)]
pub(crate) struct ReaderFull(pub(crate) Question);

/// The driver's side.
#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    replies: Receiver<Reply>,
    sender: SyncSender<Reply>,
    threads: Vec<Arc<Worker>>,
    health: Health,
}

#[derive(Debug)]
struct Shared {
    questions: Mutex<Questions>,
    is_there: Condvar,
    procfs: ProcFs,
    identifier: Identifier,
    copier: Copier,
    /// Readable while answers wait.
    wake: OwnedFd,
    /// Users whose processes have held a thread up.
    refused: Mutex<HashSet<u32>>,
    refusals: AtomicU64,
}

#[derive(Debug, Default)]
struct Questions {
    waiting: VecDeque<Question>,
    is_closed: bool,
}

/// What one thread is at.
#[derive(Debug)]
struct Worker {
    pulse: Mutex<Option<Pulse>>,
    /// The process that it reads; 0: none.
    pid: AtomicU32,
}

impl Reader {
    pub(crate) fn start(
        health: &Health,
        identifier: Identifier,
        copier: Copier,
    ) -> io::Result<Self> {
        let (sender, replies) = mpsc::sync_channel(MAX_REPLIES);
        let shared = Arc::new(Shared {
            questions: Mutex::default(),
            is_there: Condvar::new(),
            procfs: ProcFs::system(),
            identifier,
            copier,
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            refused: Mutex::default(),
            refusals: AtomicU64::new(0),
        });
        let mut reader =
            Self { shared, replies, sender, threads: Vec::new(), health: health.clone() };
        reader.add_thread()?;
        Ok(reader)
    }

    /// Puts a question. The answer comes by [`Reader::take_replies`].
    pub(crate) fn ask(&self, question: Question) -> Result<(), ReaderFull> {
        let mut questions = lock(&self.shared.questions);
        if questions.waiting.len() >= MAX_QUESTIONS {
            return Err(ReaderFull(question));
        }
        questions.waiting.push_back(question);
        self.shared.is_there.notify_one();
        Ok(())
    }

    /// The answers that are there.
    pub(crate) fn take_replies(&self) -> Vec<Reply> {
        // Nothing to read is no error: the descriptor does not block.
        rustix::io::read(&self.shared.wake, &mut [0; 8]).unwrap_or_default();
        self.replies.try_iter().collect()
    }

    /// Becomes readable when an answer is there.
    pub(crate) fn wake_fd(&self) -> BorrowedFd<'_> {
        self.shared.wake.as_fd()
    }

    /// Processes that were not read, as their user has held a thread up.
    pub(crate) fn refusals(&self) -> u64 {
        self.shared.refusals.load(Ordering::Relaxed)
    }

    /// Starts another thread if all are held up. To be called now and then.
    pub(crate) fn tend(&mut self) {
        let is_held_up = |worker: &Arc<Worker>| {
            lock(&worker.pulse).as_ref().is_some_and(|pulse| pulse.busy_for() > PATIENCE)
        };
        if !self.threads.iter().all(is_held_up) {
            return;
        }
        for worker in &self.threads {
            self.refuse_user_of(worker.pid.load(Ordering::Relaxed));
        }
        if self.threads.len() < MAX_THREADS
            && let Err(error) = self.add_thread()
        {
            tracing::warn!(%error, "cannot start another reading thread");
        }
    }

    fn refuse_user_of(&self, pid: u32) {
        let owner = std::fs::metadata(format!("/proc/{pid}")).map(|meta| meta.uid());
        if let Ok(uid @ 1..) = owner
            && lock(&self.shared.refused).insert(uid)
        {
            tracing::warn!(
                pid,
                uid,
                "a process holds up its readers: no more is read of its user's"
            );
        }
    }

    fn add_thread(&mut self) -> io::Result<()> {
        let worker = Arc::new(Worker { pulse: Mutex::default(), pid: AtomicU32::new(0) });
        let (own, shared, replies) =
            (Arc::clone(&worker), Arc::clone(&self.shared), self.sender.clone());
        self.health.spawn("ir-reader", 5 * PATIENCE, move |pulse| {
            *lock(&own.pulse) = Some(pulse.clone());
            crate::priority::hurry();
            shared.work(&own, pulse, &replies);
        })?;
        self.threads.push(worker);
        Ok(())
    }
}

impl Drop for Reader {
    /// The threads end by themselves; one that is held up is left behind.
    fn drop(&mut self) {
        lock(&self.shared.questions).is_closed = true;
        self.shared.is_there.notify_all();
    }
}

impl Shared {
    fn work(&self, worker: &Worker, pulse: &Pulse, replies: &SyncSender<Reply>) {
        while let Some(question) = self.next() {
            let reply = match question {
                Question::Process(ask) => {
                    worker.pid.store(ask.pid, Ordering::Relaxed);
                    let unread = ask.clone();
                    pulse.guard("a process", || self.read(ask)).unwrap_or_else(|| nothing(unread))
                }
                Question::Alive(asked) => self.alive(asked),
            };
            if replies.send(reply).is_err() {
                return;
            }
            // A full counter is as readable as any.
            rustix::io::write(&self.wake, &1u64.to_ne_bytes()).unwrap_or_default();
        }
    }

    fn next(&self) -> Option<Question> {
        let mut questions = lock(&self.questions);
        loop {
            if let Some(question) = questions.waiting.pop_front() {
                return Some(question);
            }
            if questions.is_closed {
                return None;
            }
            questions = self.is_there.wait(questions).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn alive(&self, asked: Vec<u32>) -> Reply {
        let is_alive = |pid: &u32| {
            self.procfs.process(Pid(*pid)).is_ok_and(|process| process.has_living_thread())
        };
        let alive = asked.iter().copied().filter(is_alive).collect();
        Reply::Alive { asked, alive }
    }

    fn read(&self, ask: Ask) -> Reply {
        let dir = if ask.is_current { self.procfs.process(Pid(ask.pid)).ok() } else { None };
        let dir = dir.filter(|dir| !self.is_refused(dir));
        // At once: what was freed meanwhile has no name any more.
        let functions = dir.as_ref().map(|dir| functions::read(dir, &ask.functions));
        let functions = functions.unwrap_or_default();
        let runtimes = dir.as_ref().map(|dir| functions::attach(dir, &ask.runtimes));
        let runtimes = runtimes.unwrap_or_default();
        let process = dir.as_ref().and_then(|dir| self.read_process(dir, &ask));
        let moved = process.as_ref().map_or(&[][..], |found| &found.moved);
        let mapped = process.iter().filter(|_| ask.code == CodeWanted::MappingsAndFiles);
        // Of very many, only those are opened that are needed.
        let is_crowded = |mappings: &&Vec<Mapping>| mappings.len() > MAX_EAGER;
        let mapped = mapped.filter_map(|found| found.mappings.as_ref());
        let mapped = mapped.filter(|mappings| !is_crowded(mappings)).flatten();
        let wanted = mapped.filter(|mapping| mapping.is_file()).chain(&ask.files).cloned();
        let mut wanted = wanted.peekable();
        let status = dir.as_ref().filter(|_| wanted.peek().is_some());
        let status = status.and_then(|dir| dir.status().ok());
        let user = status.map_or(NOBODY, |status| status.effective_uid);
        let opener = Opener { process: dir.as_ref(), user, moved, copier: &self.copier };
        let files: Vec<FoundFile> = wanted.map(|mapping| opener.open(mapping)).collect();
        let read_ns = monotonic_ns();
        Reply::Process(Box::new(Answer { ask, read_ns, process, user, files, functions, runtimes }))
    }

    fn is_refused(&self, dir: &ProcessDir) -> bool {
        let refused = lock(&self.refused);
        let is_refused = !refused.is_empty()
            && std::fs::metadata(dir.path()).is_ok_and(|meta| refused.contains(&meta.uid()));
        self.refusals.fetch_add(u64::from(is_refused), Ordering::Relaxed);
        is_refused
    }

    /// `None` if it is gone, or in the midst of an exec: all must be of one address space.
    fn read_process(&self, dir: &ProcessDir, ask: &Ask) -> Option<FoundProcess> {
        let read = |dir: &ProcessDir| {
            let (mut mappings, mut moved) = (None, Vec::new());
            if ask.wants_mappings() {
                let mut found = dir.executable_mappings(MapLimits::default())?;
                // Text that was moved to memory goes by the file that it is of.
                moved = dir.moved_text(&found).unwrap_or_default();
                found.put_back(&moved);
                mappings = Some(found.mappings);
            }
            let identity = if ask.identity { self.identifier.identify(dir) } else { None };
            let start_stack = dir.stat()?.start_stack;
            Ok(FoundProcess { start_stack, mappings, moved, identity })
        };
        dir.consistent(read).ok().flatten()
    }
}

/// The answer to a question that could not be dealt with.
fn nothing(ask: Ask) -> Reply {
    Reply::Process(Box::new(Answer {
        ask,
        read_ns: monotonic_ns(),
        process: None,
        user: NOBODY,
        files: Vec::new(),
        functions: Vec::new(),
        runtimes: Vec::new(),
    }))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
