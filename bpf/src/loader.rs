//! Loads the programs and owns everything of theirs. Lives on one thread, the agent's driver.

use std::{
    hash::BuildHasher, hash::RandomState, os::fd::AsFd, os::fd::BorrowedFd, path::Path, rc::Rc,
    time::Duration,
};

use infrared_abi::{IR_FILTER_CGROUPS, IR_FILTER_NONE, IR_FILTER_PIDS, bytes_of, ir_config};
use libbpf_rs::{Link, MapCore, MapHandle, Object, ObjectBuilder, OpenObject, ProgramMut};

use crate::{
    cpus::{living_cpus, possible_cpus},
    error::KernelError,
    live::Live,
    processes::ProcessMaps,
    records::Record,
    ring::Ring,
    sampling::{Sampler, SamplerReport},
    sideband::Sideband,
    stats::{Counters, RunTime, Stats},
    tables::UnwindTables,
};

/// `IR_COPIES` of `programs/maps.h`.
const MAX_COPIES: u32 = 8;

static ON_CPU: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/on_cpu.bpf.o"));
static PROCESS_EVENTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/process_events.bpf.o"));

/// Whom to sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    #[default]
    Everything,
    /// Selected processes and their descendants, see [`ProcessMaps::select_pid`].
    Pids,
    /// Selected cgroups and those below them, see [`ProcessMaps::select_cgroup`].
    Cgroups,
}

/// How to load.
#[derive(Clone, Debug)]
pub struct KernelConfig {
    /// Samples a second and CPU, 1 to 10,000.
    pub frequency_hz: u64,
    pub filter: Filter,
    /// Leave our own process out.
    pub exclude_self: bool,
    /// Bytes of unwind rows in the kernel at most; at least a slab of 512 KiB.
    pub table_budget_bytes: usize,
    /// Bytes of the ring buffer, by default 2 MiB a CPU, 4 to 8 in all; rounded up to a power of two of at least a page.
    pub ring_bytes: Option<usize>,
    /// Copies of stacks that one CPU may send in a second; by default as many as it takes samples, and at least 200.
    pub max_deferred: Option<u32>,
}

impl Default for KernelConfig {
    fn default() -> Self {
        Self {
            frequency_hz: 99,
            filter: Filter::Everything,
            exclude_self: false,
            table_budget_bytes: 64 << 20,
            ring_bytes: None,
            max_deferred: None,
        }
    }
}

/// The loaded kernel side.
#[derive(Debug)]
pub struct Kernel {
    pub tables: UnwindTables,
    pub processes: ProcessMaps,
    pub sideband: Sideband,
    sampler: Sampler,
    on_cpu: Object,
    _process_events: Object,
    _links: Vec<Link>,
    ring: Ring,
    damaged: u64,
    counters: Counters,
    live: Rc<Live>,
    hash_key: u64,
}

impl Kernel {
    /// Loads, attaches and starts sampling.
    pub fn load(config: &KernelConfig) -> Result<Self, KernelError> {
        if !Path::new("/sys/kernel/btf/vmlinux").exists() {
            return Err(KernelError::NoBtf);
        }
        let cpus = possible_cpus()?;
        let hash_key = RandomState::new().hash_one(cpus);
        let on_cpu = load_on_cpu(config, hash_key, cpus)?;
        let process_events = load_process_events(config, &on_cpu)?;
        let map = |name: &'static str| handle(&on_cpu, name);
        let is_narrowed = config.exclude_self || config.filter != Filter::Everything;
        let wake_bytes = wake_bytes(ring_bytes(config, cpus), cpus);
        let live = Rc::new(Live::start(map(".data.live")?, is_narrowed, wake_bytes)?);
        let tables = UnwindTables::new(
            map("ir_row_slabs")?,
            map("ir_pages")?,
            map("ir_rules")?,
            Rc::clone(&live),
            config.table_budget_bytes,
        )?;
        let processes = ProcessMaps::new(
            map("ir_mapping_slabs")?,
            (map("ir_processes")?, map("ir_runtime_states")?),
            (map("ir_filter_pids")?, map("ir_filter_cgroups")?),
            Rc::clone(&live),
        );
        let ring = Ring::open(map("ir_records")?)?;
        let mut links = Vec::new();
        for program in process_events.progs_mut() {
            let name = program.name().to_string_lossy().into_owned();
            links.push(program.attach().map_err(|source| KernelError::Attach { name, source })?);
        }
        // Process events first: what happens while the sampler starts is then known.
        let online = living_cpus()?;
        let sideband = Sideband::open(&online)?;
        let sampler = Sampler::start(&sampling_program(&on_cpu)?, config.frequency_hz, &online)?;
        let counters = Counters::map(&map("ir_cpus")?, cpus)?;
        Ok(Self {
            tables,
            processes,
            sideband,
            sampler,
            on_cpu,
            _process_events: process_events,
            _links: links,
            ring,
            damaged: 0,
            counters,
            live,
            hash_key,
        })
    }

    /// What is sampled, by which clock.
    pub fn report(&self) -> SamplerReport {
        SamplerReport { unheard: self.sideband.failed(), ..self.sampler.report() }
    }

    /// Waits until records, or half a ring of process events, are there, or one of `others` is readable; at most `timeout`.
    pub fn wait(
        &mut self,
        timeout: Duration,
        others: &[BorrowedFd<'_>],
    ) -> Result<(), KernelError> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        self.tables.let_go();
        self.processes.let_go();
        let mut fds = vec![PollFd::from_borrowed_fd(self.ring.fd(), PollFlags::IN)];
        let others = others.iter().copied();
        fds.extend(
            self.sideband.fds().chain(others).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        );
        let timeout =
            Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(KernelError::Wait(error.into())),
        }
    }

    /// Takes all waiting records.
    pub fn take_records(&mut self) -> Vec<Record> {
        let (damaged, mut records) = (&mut self.damaged, Vec::new());
        self.ring.drain(|bytes| *damaged += u64::from(!Record::decode(bytes, &mut records)));
        records
    }

    /// Records that could not be decoded, which would be a defect.
    pub fn damaged_records(&self) -> u64 {
        self.damaged
    }

    /// Begins a new window: stacks are sent anew. Returns its number.
    pub fn next_window(&mut self) -> Result<u32, KernelError> {
        self.live.next_window()
    }

    /// Where the hashes of stacks begin: drawn when it was loaded.
    pub fn hash_key(&self) -> u64 {
        self.hash_key
    }

    /// Stops taking samples; what is in the ring buffer stays.
    pub fn pause(&mut self) -> Result<(), KernelError> {
        self.live.pause(true)
    }

    /// Takes samples again after a pause.
    pub fn resume(&mut self) -> Result<(), KernelError> {
        self.live.pause(false)
    }

    /// Follows CPUs that came or went. Returns whether any did.
    pub fn follow_hotplug(&mut self) -> Result<bool, KernelError> {
        let online = living_cpus()?;
        // Process events first, as when loading.
        let is_heard_otherwise = self.sideband.follow(&online);
        let is_sampled_otherwise = self.sampler.follow(&sampling_program(&self.on_cpu)?, &online);
        Ok(is_heard_otherwise || is_sampled_otherwise)
    }

    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// What the sampler has cost.
    pub fn run_time(&self) -> RunTime {
        let program = self.on_cpu.progs().next();
        program.map(|program| RunTime::read(program.as_fd())).unwrap_or_default()
    }
}

fn load_on_cpu(config: &KernelConfig, hash_key: u64, cpus: u32) -> Result<Object, KernelError> {
    let mut open = open_object("on_cpu", ON_CPU)?;
    let ring_bytes = ring_bytes(config, cpus);
    configure(&mut open, config, hash_key, "on_cpu")?;
    for mut map in open.maps_mut() {
        let size = match map.name().to_str() {
            Some("ir_cpus") => cpus,
            Some("ir_copies") => cpus.min(MAX_COPIES).next_power_of_two(),
            Some("ir_records") => ring_bytes,
            _ => continue,
        };
        map.set_max_entries(size).map_err(|source| KernelError::Open { name: "on_cpu", source })?;
    }
    open.load().map_err(|source| KernelError::Load { name: "on_cpu", source })
}

/// The second object uses the maps of the first.
fn load_process_events(config: &KernelConfig, shared: &Object) -> Result<Object, KernelError> {
    let name = "process_events";
    let mut open = open_object(name, PROCESS_EVENTS)?;
    configure(&mut open, config, 0, name)?;
    for mut map in open.maps_mut() {
        let twin = shared.maps().find(|other| other.name() == map.name() && !is_data(other.name()));
        if let Some(twin) = twin {
            map.reuse_fd(std::os::fd::AsFd::as_fd(&twin))
                .map_err(|source| KernelError::Open { name, source })?;
        }
    }
    open.load().map_err(|source| KernelError::Load { name, source })
}

fn is_data(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().contains('.')
}

fn open_object(name: &'static str, bytes: &[u8]) -> Result<OpenObject, KernelError> {
    let mut builder = ObjectBuilder::default();
    let named = builder.name(name).map_err(|source| KernelError::Open { name, source })?;
    named.open_memory(bytes).map_err(|source| KernelError::Open { name, source })
}

fn configure(
    open: &mut OpenObject,
    config: &KernelConfig,
    hash_key: u64,
    name: &'static str,
) -> Result<(), KernelError> {
    let constants = ir_config {
        filter: match config.filter {
            Filter::Everything => IR_FILTER_NONE,
            Filter::Pids => IR_FILTER_PIDS,
            Filter::Cgroups => IR_FILTER_CGROUPS,
        },
        max_deferred: config
            .max_deferred
            .unwrap_or_else(|| default_max_deferred(config.frequency_hz)),
        self_pid: std::process::id(),
        exclude_self: u32::from(config.exclude_self),
        hash_key,
    };
    let mut map = open
        .maps_mut()
        .find(|map| map.name() == ".rodata.config")
        .ok_or(KernelError::NoMap { name: ".rodata.config" })?;
    map.set_initial_value(bytes_of(&constants)).map_err(|source| KernelError::Open { name, source })
}

/// Each CPU may send a copy of a stack, of up to a MiB, before user space reads. All of it counts as resident memory of ours.
fn ring_bytes(config: &KernelConfig, cpus: u32) -> u32 {
    let bytes = config.ring_bytes.unwrap_or((2 << 20) * (cpus as usize).clamp(2, 4));
    bytes.max(64 << 10).next_power_of_two().min(1 << 30) as u32
}

/// All CPUs together wake user space long before the ring is full.
fn wake_bytes(ring_bytes: u32, cpus: u32) -> u32 {
    (ring_bytes / 4 / cpus.max(1)).min(128 << 10)
}

/// The kernel side's seconds are of 2^30 ns, and so hold a few samples more.
fn default_max_deferred(frequency_hz: u64) -> u32 {
    (frequency_hz + frequency_hz / 8).clamp(200, u32::MAX.into()) as u32
}

fn handle(object: &Object, name: &'static str) -> Result<MapHandle, KernelError> {
    let map = object.maps().find(|map| map.name() == name).ok_or(KernelError::NoMap { name })?;
    MapHandle::try_from(&map).map_err(|source| KernelError::Map {
        action: "open",
        map: name,
        source,
    })
}

fn sampling_program(object: &Object) -> Result<ProgramMut<'_>, KernelError> {
    object.progs_mut().next().ok_or(KernelError::NoMap { name: "ir_on_cpu" })
}
