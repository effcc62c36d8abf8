//! What this kernel lets us do, found by doing it: programs are loaded and attached, events opened, maps made, and all
//! of it undone. Facts only: what follows from them for a person is not decided here.

use std::{
    ffi::CStr,
    fs, io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::Path,
    ptr,
};

use libbpf_sys as sys;
use perf_event_open_sys::{bindings, ioctls, perf_event_open};

use crate::{
    loader::{Kernel, KernelConfig},
    sampling::SamplerReport,
};

/// `Ok`, or the kernel's answer.
pub type Probe = Result<(), String>;

/// The answers to all probes.
#[derive(Clone, Debug)]
pub struct Features {
    /// The kernel's own types, `/sys/kernel/btf/vmlinux`.
    pub btf: Probe,
    /// The kernel's timer as an event.
    pub cpu_clock: Probe,
    /// A program on an ordinary tracepoint.
    pub tracepoint: Probe,
    /// A program on a typed tracepoint (`tp_btf`).
    pub typed_tracepoint: Probe,
    /// A probe on a function of a program.
    pub uprobe: Probe,
    pub ring_buffer: Probe,
    /// Run time of programs, without the sysctl.
    pub run_time: Probe,
    /// Everything that the sampler needs, loaded, attached and running.
    pub sampler: Result<SamplerReport, String>,
}

/// Tries everything. Takes about half a second, most of it the verifier's.
pub fn probe() -> Features {
    Features {
        btf: said(fs::metadata("/sys/kernel/btf/vmlinux").map(drop)),
        cpu_clock: said(open_timer()),
        tracepoint: said(attach_tracepoint()),
        typed_tracepoint: said(attach_typed_tracepoint()),
        uprobe: said(open_uprobe()),
        ring_buffer: said(make_ring_buffer()),
        run_time: said(enable_run_time()),
        sampler: Kernel::load(&KernelConfig::default())
            .map(|kernel| kernel.report())
            .map_err(|error| error.to_string()),
    }
}

fn said(result: io::Result<()>) -> Probe {
    result.map_err(|error| error.to_string())
}

/// The descriptor that a system call or libbpf returned; a negative one is an error number.
fn descriptor(returned: i32) -> io::Result<OwnedFd> {
    if returned < 0 {
        return Err(io::Error::from_raw_os_error(-returned));
    }
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(returned) })
}

/// Opens `attr` for this process on any CPU.
fn open_attr(attr: &mut bindings::perf_event_attr) -> io::Result<OwnedFd> {
    attr.size = size_of::<bindings::perf_event_attr>() as u32;
    // SAFETY: attr is a valid, fully initialised structure of the size that it states.
    let returned =
        unsafe { perf_event_open(attr, 0, -1, -1, bindings::PERF_FLAG_FD_CLOEXEC.into()) };
    if returned < 0 { Err(io::Error::last_os_error()) } else { descriptor(returned) }
}

/// The event of the machine's first online CPU, as the sampler opens it.
fn open_timer() -> io::Result<()> {
    let mut attr = crate::sampling::attributes(99);
    attr.set_disabled(1);
    let cpus = crate::cpus::online_cpus().map_err(io::Error::other)?;
    crate::perf::open_on_cpu(&mut attr, cpus.first().copied().unwrap_or(0)).map(drop)
}

/// Loads `r0 = 0; exit`.
fn load_trivial(kind: sys::bpf_prog_type, options: sys::bpf_prog_load_opts) -> io::Result<OwnedFd> {
    const MOV64_IMM: u8 = 0xb7;
    const EXIT: u8 = 0x95;
    let instructions = [MOV64_IMM, EXIT].map(|code| sys::bpf_insn { code, ..Default::default() });
    let mut options = sys::bpf_prog_load_opts { sz: size_of_val(&options) as u64, ..options };
    // SAFETY: the pointers are to values that live until the call returns; the count is theirs.
    let returned = unsafe {
        sys::bpf_prog_load(
            kind,
            c"infrared_probe".as_ptr(),
            c"GPL".as_ptr(),
            instructions.as_ptr(),
            instructions.len() as u64,
            &raw mut options,
        )
    };
    descriptor(returned)
}

fn attach_tracepoint() -> io::Result<()> {
    let id = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"].into_iter().find_map(|root| {
        let path = Path::new(root).join("events/sched/sched_switch/id");
        fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()
    });
    let id = id.ok_or_else(|| io::Error::other("tracefs is not mounted"))?;
    let program = load_trivial(sys::BPF_PROG_TYPE_TRACEPOINT, sys::bpf_prog_load_opts::default())?;
    let mut attr = bindings::perf_event_attr::default();
    attr.type_ = bindings::PERF_TYPE_TRACEPOINT;
    attr.config = id;
    attr.set_disabled(1);
    let event = open_attr(&mut attr)?;
    // SAFETY: both descriptors are open.
    let returned = unsafe { ioctls::SET_BPF(event.as_raw_fd(), program.as_raw_fd() as u32) };
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn attach_typed_tracepoint() -> io::Result<()> {
    let event: &CStr = c"sched_process_exec";
    // SAFETY: the name is a C string.
    let id = unsafe { sys::libbpf_find_vmlinux_btf_id(event.as_ptr(), sys::BPF_TRACE_RAW_TP) };
    if id < 0 {
        return Err(io::Error::from_raw_os_error(-id));
    }
    let options = sys::bpf_prog_load_opts {
        expected_attach_type: sys::BPF_TRACE_RAW_TP,
        attach_btf_id: id as u32,
        ..Default::default()
    };
    let program = load_trivial(sys::BPF_PROG_TYPE_TRACING, options)?;
    // SAFETY: the descriptor is open; a typed program names its tracepoint itself.
    descriptor(unsafe { sys::bpf_raw_tracepoint_open(ptr::null(), program.as_raw_fd()) }).map(drop)
}

/// A probe on [`probed`] in our own executable.
fn open_uprobe() -> io::Result<()> {
    let kind = fs::read_to_string("/sys/bus/event_source/devices/uprobe/type")?;
    let kind = kind.trim().parse().map_err(io::Error::other)?;
    let mut attr = bindings::perf_event_attr::default();
    attr.type_ = kind;
    attr.__bindgen_anon_3.uprobe_path = c"/proc/self/exe".as_ptr() as u64;
    attr.__bindgen_anon_4.probe_offset = file_offset_of(probed as *const () as u64)?;
    attr.set_disabled(1);
    open_attr(&mut attr).map(drop)
}

/// Only its address is used.
extern "C" fn probed() {}

/// Where in its file the code at `address` of this process is.
fn file_offset_of(address: u64) -> io::Result<u64> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let found = maps.lines().find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let (start, end) = columns.next()?.split_once('-')?;
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).ok());
        let offset = u64::from_str_radix(columns.nth(1)?, 16).ok()?;
        (start?..end?).contains(&address).then(|| offset + (address - start.unwrap_or(address)))
    });
    found.ok_or_else(|| io::Error::other("our own code is not mapped"))
}

fn make_ring_buffer() -> io::Result<()> {
    // SAFETY: the name is a C string, and no options are given.
    let returned = unsafe {
        sys::bpf_map_create(
            sys::BPF_MAP_TYPE_RINGBUF,
            c"infrared_probe".as_ptr(),
            0,
            0,
            64 << 10,
            ptr::null(),
        )
    };
    descriptor(returned).map(drop)
}

fn enable_run_time() -> io::Result<()> {
    // SAFETY: takes no pointers. Counting ends when the descriptor is closed.
    descriptor(unsafe { sys::bpf_enable_stats(sys::BPF_STATS_RUN_TIME) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs root: what is probed here is what the sampler cannot do without.
    #[test]
    fn what_the_sampler_needs_is_found() {
        let features = probe();
        for (name, probe) in [
            ("btf", &features.btf),
            ("cpu clock", &features.cpu_clock),
            ("typed tracepoint", &features.typed_tracepoint),
            ("ring buffer", &features.ring_buffer),
        ] {
            assert_eq!(probe, &Ok(()), "{name}");
        }
        assert!(!features.sampler.unwrap().cpus.is_empty());
    }

    #[test]
    fn the_file_offset_of_our_code_holds_the_same_bytes() {
        let address = probed as *const () as u64;
        let offset = file_offset_of(address).unwrap() as usize;
        let file = fs::read("/proc/self/exe").unwrap();
        // SAFETY: the code of a function is readable; 4 bytes of it are in every function with its padding.
        let memory = unsafe { std::slice::from_raw_parts(address as *const u8, 4) };
        assert_eq!(&file[offset..offset + 4], memory);
    }
}
