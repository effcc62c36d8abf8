//! A pipeline, and a world around it that says what happens when.

use infrared_bpf::{
    CopiedStack, DeferredSample, Exec, KernelError, KernelStack, MappingBlock, PageKey, PageTable,
    Record, SidebandEvent, SidebandRecord, TableError, Unwound, UserStack,
    abi::{IR_STOP_COMPLETE, ir_frame, ir_registers, ir_sample},
};
use infrared_processes::maps::MappingRef;
use infrared_profile::labels;
use infrared_runtimes::{Attached, Named};

use infrared_symbolize::JitProcess;

use crate::{
    config::Pace,
    copies::Copier,
    health::Health,
    images::ImageRegistry,
    pipeline::{Command, Input, Pipeline, PipelineConfig, Tables},
    reader::{Answer, Ask, FoundIdentity, FoundProcess, Question, Reply},
    watch::{FunctionKey, SpaceId},
    window::ClosedWindow,
};
use std::time::Duration;

/// What a fake walk says.
pub(super) struct FakeTables {
    pub(super) stop_reason: u32,
    pub(super) walks: usize,
    /// Of the stacks.
    pub(super) frames: Vec<ir_frame>,
}

impl Tables for FakeTables {
    fn contains(&self, _: PageKey) -> bool {
        true
    }

    fn insert(&mut self, _: PageKey, _: PageTable<'_>) -> Result<(), TableError> {
        Ok(())
    }

    fn make_room(&mut self, _: usize) -> Result<(), TableError> {
        Ok(())
    }

    fn insert_unreadable(&mut self, _: PageKey) -> Result<(), TableError> {
        Ok(())
    }

    fn remove_page(&mut self, _: PageKey) {}

    fn remove_image(&mut self, _: u32) {}

    fn walk(&mut self, pid: u32, _: &MappingBlock, _: CopiedStack<'_>) -> Unwound {
        self.walks += 1;
        let (hash, stop_reason) = (0x1000 + u64::from(pid), self.stop_reason);
        let stack = UserStack { hash, stop_reason, pid: 0, frames: self.frames.clone() };
        Unwound { stack, may_improve: stop_reason != IR_STOP_COMPLETE, missing: None }
    }
}

/// The pipeline and everything that it has asked for.
pub(super) struct World {
    pub(super) pipeline: Pipeline,
    pub(super) tables: FakeTables,
    input: Input,
    /// Of the questions about processes, those that are not answered yet.
    pub(super) asks: Vec<Ask>,
    pub(super) alive_asked: Vec<u32>,
    pub(super) published: Vec<(u32, MappingBlock)>,
    pub(super) forgotten_mappings: Vec<u32>,
    pub(super) forgotten: Vec<u32>,
    pub(super) perf_maps: Vec<JitProcess>,
    pub(super) windows: Vec<ClosedWindow>,
    /// What the next answer has read of functions.
    pub(super) functions: Vec<(FunctionKey, Option<Named>)>,
    /// What it has found of runtimes.
    pub(super) runtimes: Vec<Attached>,
    /// Publishing fails.
    pub(super) is_full: bool,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_windows(Duration::from_secs(10))
    }

    pub(super) fn with_windows(window: Duration) -> Self {
        Self::with_vdso(window, None)
    }

    pub(super) fn with_vdso(window: Duration, vdso: Option<Vec<u8>>) -> Self {
        let config = PipelineConfig {
            pace: Pace::Recording { window },
            host_name: "host".into(),
            declared_service: Box::new(|entries| {
                let text = String::from_utf8_lossy(entries).into_owned();
                text.strip_prefix("SERVICE=").map(|rest| rest.trim_end_matches('\0').to_owned())
            }),
        };
        let images =
            ImageRegistry::start(&Health::default(), 1 << 20, vdso, Copier::default()).unwrap();
        Self {
            pipeline: Pipeline::new(config, images, Vec::new(), 0),
            tables: FakeTables { stop_reason: IR_STOP_COMPLETE, walks: 0, frames: Vec::new() },
            input: Input::default(),
            asks: Vec::new(),
            alive_asked: Vec::new(),
            published: Vec::new(),
            forgotten_mappings: Vec::new(),
            forgotten: Vec::new(),
            perf_maps: Vec::new(),
            windows: Vec::new(),
            functions: Vec::new(),
            runtimes: Vec::new(),
            is_full: false,
        }
    }

    pub(super) fn event(&mut self, time_ns: u64, event: SidebandEvent) -> &mut Self {
        self.input.events.push(SidebandRecord { time_ns, event });
        self
    }

    pub(super) fn fork(&mut self, time_ns: u64, parent_pid: u32, pid: u32) -> &mut Self {
        self.event(time_ns, SidebandEvent::Fork { pid, tid: pid, parent_pid })
    }

    pub(super) fn exec(&mut self, time_ns: u64, pid: u32, path: &str) -> &mut Self {
        let comm = path.rsplit('/').next().unwrap_or_default().to_owned();
        self.event(time_ns, SidebandEvent::Comm { pid, tid: pid, comm, exec: true });
        self.map(time_ns + 1, pid, 0x1000, path)
    }

    pub(super) fn map(&mut self, time_ns: u64, pid: u32, start: u64, path: &str) -> &mut Self {
        let inode = path.bytes().map(u64::from).sum();
        let path = path.as_bytes().to_vec();
        let (length, file_offset, device) = (0x1000, 0, (8, 1));
        self.event(
            time_ns,
            SidebandEvent::Mmap { pid, start, length, file_offset, device, inode, path },
        )
    }

    pub(super) fn exit(&mut self, time_ns: u64, pid: u32) -> &mut Self {
        self.event(time_ns, SidebandEvent::Exit { pid, tid: pid })
    }

    /// Events between `since_ns` and `time_ns` were lost.
    pub(super) fn lost(&mut self, since_ns: u64, time_ns: u64) -> &mut Self {
        self.event(time_ns, SidebandEvent::Lost { count: 7, since_ns })
    }

    pub(super) fn environment(&mut self, time_ns: u64, pid: u32, entry: &str) -> &mut Self {
        let environment = entry.as_bytes().to_vec();
        self.input.records.push(Record::Exec(Exec { pid, time_ns, environment }));
        self
    }

    pub(super) fn sample(&mut self, time_ns: u64, pid: u32, start_time_ns: u64) -> &mut Self {
        let sample = ir_sample { pid, tid: pid, time_ns, start_time_ns, ..named(b"worker") };
        self.take(Record::Sample(sample))
    }

    pub(super) fn take(&mut self, record: Record) -> &mut Self {
        self.input.records.push(record);
        self
    }

    /// A sample that the kernel could not unwind.
    pub(super) fn deferred(&mut self, time_ns: u64, pid: u32, kernel_stack: u64) -> &mut Self {
        let sample = ir_sample {
            pid,
            tid: pid,
            time_ns,
            start_time_ns: 1,
            kernel_stack,
            ..named(b"worker")
        };
        let (registers, memory) = (ir_registers::default(), Vec::new());
        self.take(Record::Deferred(Box::new(DeferredSample {
            sample,
            registers,
            missing: None,
            returns: Default::default(),
            calls: Box::default(),
            memory,
        })))
    }

    pub(super) fn kernel_stack(&mut self, hash: u64) -> &mut Self {
        self.take(Record::KernelStack(KernelStack { hash, addresses: vec![hash] }))
    }

    /// Answers the oldest question about `pid`, one about its present first, read at `read_ns`: by another service's name, or that it is gone.
    pub(super) fn answer(&mut self, pid: u32, read_ns: u64, service: Option<&str>) -> &mut Self {
        let is_whole = |ask: &Ask| ask.pid == pid && (ask.identity || ask.is_current);
        let whole = self.asks.iter().position(is_whole);
        let at = whole.or_else(|| self.asks.iter().position(|ask| ask.pid == pid));
        let ask = self.asks.remove(at.unwrap_or_else(|| panic!("nobody asked about {pid}")));
        let process = service.map(|service| FoundProcess {
            start_stack: 0x7000,
            mappings: ask.wants_mappings().then(|| vec![mapping(0x1000, service)]),
            moved: Vec::new(),
            identity: ask.identity.then(|| FoundIdentity {
                labels: [(labels::SERVICE.to_owned(), service.to_owned())].into(),
                is_heritable: service.starts_with("declared"),
            }),
        });
        let functions = std::mem::take(&mut self.functions);
        let runtimes = std::mem::take(&mut self.runtimes);
        let files = Vec::new();
        let answer = Answer { ask, read_ns, process, user: 0, files, functions, runtimes };
        self.input.replies.push(Reply::Process(Box::new(answer)));
        self
    }

    pub(super) fn answer_alive(&mut self, alive: &[u32]) -> &mut Self {
        let asked = std::mem::take(&mut self.alive_asked);
        self.input.replies.push(Reply::Alive { asked, alive: alive.to_vec() });
        self
    }

    /// A turn at `now_ns`, up to which all events are there.
    pub(super) fn turn(&mut self, now_ns: u64) -> &mut Self {
        let input = std::mem::take(&mut self.input);
        let input = Input { horizon_ns: now_ns, now_ns, ..input };
        let commands = self.pipeline.turn(input, &mut self.tables);
        self.execute(commands, now_ns);
        self
    }

    pub(super) fn finish(&mut self, now_ns: u64) -> &mut Self {
        let commands = self.pipeline.finish(now_ns, &mut self.tables);
        self.execute(commands, now_ns);
        self
    }

    fn execute(&mut self, commands: Vec<Command>, now_ns: u64) {
        for command in commands {
            match command {
                Command::Ask(Question::Process(ask)) => self.asks.push(ask),
                Command::Ask(Question::Alive(pids)) => self.alive_asked = pids,
                Command::Publish { pid, space, block } => self.publish(pid, space, block, now_ns),
                Command::ForgetMappings(pid) => self.forgotten_mappings.push(pid),
                Command::ForgetProcess(pid) => self.forgotten.push(pid),
                Command::ReadPerfMap(process) => self.perf_maps.push(process),
                Command::Deliver(window) => self.windows.push(*window),
            }
        }
    }

    fn publish(&mut self, pid: u32, space: SpaceId, block: MappingBlock, now_ns: u64) {
        let full = KernelError::Full { what: "mappings", limit: 64 };
        let result = if self.is_full { Err(&full) } else { Ok(()) };
        let more = self.pipeline.published(pid, space, result, now_ns);
        if !self.is_full {
            self.published.push((pid, block));
        }
        self.execute(more, now_ns);
    }

    /// Of the window that closed last: services, and their samples' times.
    pub(super) fn services(&self) -> Vec<(String, Vec<u64>)> {
        let window = self.windows.last().expect("a window has closed");
        let mut found: Vec<(String, Vec<u64>)> = window
            .all_samples()
            .map(|(key, times)| {
                let process = &window.processes[key.process as usize];
                (process.identity.as_ref().unwrap()[labels::SERVICE].clone(), times.clone())
            })
            .collect();
        found.sort();
        found
    }

    pub(super) fn times_of(&self, service: &str) -> Vec<u64> {
        let services = self.services();
        let of = services.into_iter().filter(|(name, _)| name == service);
        let mut times: Vec<u64> = of.flat_map(|(_, times)| times).collect();
        times.sort_unstable();
        times
    }
}

pub(super) fn mapping(start: u64, path: &str) -> infrared_processes::maps::Mapping {
    let inode: u64 = path.bytes().map(u64::from).sum();
    let line = format!("{start:x}-{:x} r-xp 0 08:01 {inode} /{path}", start + 0x1000);
    MappingRef::parse(line.as_bytes()).unwrap().to_mapping()
}

fn named(name: &[u8]) -> ir_sample {
    let mut sample = ir_sample { user_stack: 1, ..ir_sample::default() };
    for (to, from) in sample.comm.iter_mut().zip(name) {
        *to = *from as _;
    }
    sample
}
