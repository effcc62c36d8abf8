//! What the sampler's cost is compared with: other programs on the same timer. Only benchmarks load them.

use std::{
    io,
    os::fd::{AsRawFd, IntoRawFd, OwnedFd},
};

use libbpf_rs::{Link, MapCore, MapFlags, Object, ObjectBuilder, ProgramMut};

use crate::{cpus::online_cpus, perf::open_on_cpu, sampling::attributes};

static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/reference.bpf.o"));
/// Where the global variables are, by libbpf's naming.
const GLOBALS: &str = ".bss";

/// A program that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Reference {
    object: Object,
    links: Vec<Link>,
}

/// What a program has counted, on all CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub runs: u64,
    pub frames: u64,
}

impl Reference {
    /// Does nothing, `frequency_hz` times a second and CPU as the sampler would run. Returns its events, too.
    pub fn empty(frequency_hz: u64) -> io::Result<(Self, Vec<OwnedFd>)> {
        Self::on_timer("empty", frequency_hz)
    }

    /// The kernel's own walk by frame pointers (`bpf_get_stack`).
    pub fn frame_pointers(frequency_hz: u64) -> io::Result<(Self, Vec<OwnedFd>)> {
        Self::on_timer("frame_pointers", frequency_hz)
    }

    /// The scheduler's tick in place of a timer; no tick is taken until [`Self::take_ticks`].
    pub fn tick() -> io::Result<Self> {
        let mut reference = Self::load("tick")?;
        let link = program(&reference.object, "tick")?.attach().map_err(io::Error::other)?;
        reference.links.push(link);
        Ok(reference)
    }

    /// From one tick that is taken to the next there are less than `span` others, a random number; 0: none is taken.
    pub fn take_ticks(&self, span: u32) -> io::Result<()> {
        let mut maps = self.object.maps();
        let globals = maps.find(|map| map.name().to_string_lossy().ends_with(GLOBALS));
        let globals = globals.ok_or_else(|| io::Error::other("no global variables"))?;
        globals
            .update(&0u32.to_ne_bytes(), &span.to_ne_bytes(), MapFlags::ANY)
            .map_err(io::Error::other)
    }

    pub fn counts(&self) -> io::Result<Counts> {
        let mut maps = self.object.maps();
        let map =
            maps.find(|map| map.name() == "counts").ok_or_else(|| io::Error::other("no counts"))?;
        let values =
            map.lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY).map_err(io::Error::other)?;
        let mut counts = Counts::default();
        for value in values.unwrap_or_default() {
            let mut words = value.chunks_exact(8).filter_map(|word| word.try_into().ok());
            counts.runs += words.next().map_or(0, u64::from_ne_bytes);
            counts.frames += words.next().map_or(0, u64::from_ne_bytes);
        }
        Ok(counts)
    }

    fn on_timer(name: &str, frequency_hz: u64) -> io::Result<(Self, Vec<OwnedFd>)> {
        let mut reference = Self::load(name)?;
        let mut events = Vec::new();
        let attached = program(&reference.object, name)?;
        for cpu in online_cpus().map_err(io::Error::other)? {
            let event = open_on_cpu(&mut attributes(frequency_hz), cpu)?;
            events.push(event.try_clone()?);
            let link = attached.attach_perf_event(event.as_raw_fd()).map_err(io::Error::other)?;
            // From here on the descriptor is the link's to close.
            let _raw_fd = event.into_raw_fd();
            reference.links.push(link);
        }
        Ok((reference, events))
    }

    fn load(name: &str) -> io::Result<Self> {
        let mut open = ObjectBuilder::default().open_memory(OBJECT).map_err(io::Error::other)?;
        for mut other in open.progs_mut().filter(|other| other.name() != name) {
            other.set_autoload(false);
        }
        Ok(Self { object: open.load().map_err(io::Error::other)?, links: Vec::new() })
    }
}

fn program<'o>(object: &'o Object, name: &str) -> io::Result<ProgramMut<'o>> {
    let found = object.progs_mut().find(|program| program.name() == name);
    found.ok_or_else(|| io::Error::other(format!("there is no program {name}")))
}
