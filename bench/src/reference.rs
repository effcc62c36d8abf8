//! What Infrared's sampling is compared with, on the same timer: BPF programs of the bench's own, in its own process.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use libbpf_rs::{Link, MapCore, MapFlags, Object, ObjectBuilder, ProgramMut};
use perf_event_open_sys::{bindings, perf_event_open};

use crate::load::wait;
use crate::switch::Switch;

static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/reference.bpf.o"));
/// Where the global variables are, by libbpf's naming.
const GLOBALS: &str = ".bss";
const CALIBRATION: Duration = Duration::from_secs(2);

/// A program that runs; it ends when this is dropped.
pub(crate) struct Reference {
    object: Object,
    links: Vec<Link>,
}

/// What a program has counted, on all processors.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) runs: u64,
    pub(crate) frames: u64,
}

impl Reference {
    /// `empty` or `frame_pointers`, as often on each processor as Infrared samples there. Returns the switch of its events.
    pub(crate) fn on_timer(program: &str, hz: u32) -> Result<(Self, Switch)> {
        let mut reference = Self::load(program)?;
        let mut events = Vec::new();
        let attached = program_of(&reference.object, program)?;
        for cpu in 0..std::thread::available_parallelism()?.get() {
            let event = open_timer(hz, cpu).with_context(|| format!("no timer on CPU {cpu}"))?;
            events.push(event.try_clone()?);
            reference.links.push(attached.attach_perf_event(event.as_raw_fd())?);
            // From here on the descriptor is the link's to close.
            let _raw_fd = event.into_raw_fd();
        }
        Ok((reference, Switch::of_events(events)))
    }

    /// The scheduler's tick; none is taken until it is switched on.
    pub(crate) fn on_tick() -> Result<Self> {
        let mut reference = Self::load("tick")?;
        let link = program_of(&reference.object, "tick")?.attach()?;
        reference.links.push(link);
        Ok(reference)
    }

    /// Ticks a second of one busy processor.
    pub(crate) fn ticks_hz(&self) -> Result<u32> {
        let before = self.counts()?.runs;
        self.take_ticks(1)?;
        wait(CALIBRATION);
        self.take_ticks(0)?;
        let processors = std::thread::available_parallelism()?.get() as f64;
        let ticks = (self.counts()?.runs - before) as f64 / processors;
        Ok((ticks / CALIBRATION.as_secs_f64()).round() as u32)
    }

    /// From one sample to the next there are less than `span` ticks; 0: none is taken.
    pub(crate) fn take_ticks(&self, span: u32) -> Result<()> {
        let mut maps = self.object.maps();
        let globals = maps.find(|map| map.name().to_string_lossy().ends_with(GLOBALS));
        let globals = globals.context("the program has no global variables")?;
        globals.update(&0u32.to_ne_bytes(), &span.to_ne_bytes(), MapFlags::ANY)?;
        Ok(())
    }

    pub(crate) fn counts(&self) -> Result<Counts> {
        let map = self.object.maps().find(|map| map.name() == "counts").context("no counts")?;
        let values = map.lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY)?.unwrap_or_default();
        let mut counts = Counts::default();
        for value in values {
            let word = |at: usize| {
                value
                    .get(at..at + 8)
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(u64::from_ne_bytes)
            };
            counts.runs += word(0).context("a short value")?;
            counts.frames += word(8).context("a short value")?;
        }
        Ok(counts)
    }

    fn load(program: &str) -> Result<Self> {
        let mut open = ObjectBuilder::default().open_memory(OBJECT)?;
        for mut other in open.progs_mut() {
            if other.name() != program {
                other.set_autoload(false);
            }
        }
        Ok(Self { object: open.load()?, links: Vec::new() })
    }
}

fn program_of<'o>(object: &'o Object, name: &str) -> Result<ProgramMut<'o>> {
    let found = object.progs_mut().find(|program| program.name() == name);
    found.with_context(|| format!("there is no program {name}"))
}

/// `PERF_COUNT_SW_CPU_CLOCK` of `perf_event_open(2)`, as Infrared's sampler has it.
fn open_timer(hz: u32, cpu: usize) -> Result<OwnedFd> {
    let mut attr = bindings::perf_event_attr::default();
    attr.size = size_of::<bindings::perf_event_attr>() as u32;
    attr.type_ = bindings::PERF_TYPE_SOFTWARE;
    attr.config = bindings::PERF_COUNT_SW_CPU_CLOCK.into();
    attr.__bindgen_anon_1.sample_freq = hz.into();
    attr.set_freq(1);
    attr.set_exclude_idle(1);
    let flags = bindings::PERF_FLAG_FD_CLOEXEC.into();
    // SAFETY: attr is a valid, fully initialised structure of the size that it states.
    #[allow(unsafe_code, reason = "the only form that perf_event_open has")]
    let fd = unsafe { perf_event_open(&raw mut attr, -1, i32::try_from(cpu)?, -1, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: the kernel has just given us this descriptor.
    #[allow(unsafe_code, reason = "a descriptor that belongs to nobody else")]
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
