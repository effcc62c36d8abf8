//! Switches the sampling of a running `infrared` off and on from outside, so that both sides of a pair lie a tenth of a second
//! apart: on a shared machine everything that takes longer drowns in what the neighbours do.

use std::fs::read_link;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, ensure};
use rustix::ioctl::{IntegerSetter, Opcode, ioctl, opcode};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// `PERF_EVENT_IOC_ENABLE` and `PERF_EVENT_IOC_DISABLE` of `perf_event_open(2)`.
const ENABLE: Opcode = opcode::none(b'$', 0);
const DISABLE: Opcode = opcode::none(b'$', 1);

/// On again when dropped.
#[derive(Debug)]
pub(crate) struct Switch {
    events: Vec<OwnedFd>,
}

impl Switch {
    /// Of the process `pid`; it is on.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let process = Pid::from_raw(i32::try_from(pid)?).context("not a process id")?;
        let handle = pidfd_open(process, PidfdFlags::empty())?;
        let folder = format!("/proc/{pid}/fd");
        let mut events = Vec::new();
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
            let path = entry?.path();
            if read_link(&path).is_ok_and(|link| link.ends_with("anon_inode:[perf_event]")) {
                let name = path.file_name().and_then(|name| name.to_str()).context("a number")?;
                events.push(pidfd_getfd(&handle, name.parse()?, PidfdGetfdFlags::empty())?);
            }
        }
        ensure!(!events.is_empty(), "the process {pid} has no perf events");
        Ok(Self { events })
    }

    /// Of events of our own; they are on.
    pub(crate) fn of_events(events: Vec<OwnedFd>) -> Self {
        Self { events }
    }

    pub(crate) fn on(&self) -> Result<()> {
        self.each_event::<ENABLE>()
    }

    pub(crate) fn off(&self) -> Result<()> {
        self.each_event::<DISABLE>()
    }

    fn each_event<const OPCODE: Opcode>(&self) -> Result<()> {
        for event in &self.events {
            // SAFETY: both requests take a number, of which 0 means this event alone; they touch no memory.
            #[allow(unsafe_code, reason = "rustix has no safe form of these requests")]
            unsafe {
                ioctl(event, IntegerSetter::<OPCODE>::new_usize(0))?;
            }
        }
        Ok(())
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if let Err(error) = self.on() {
            eprintln!("infrared could not be switched on again: {error}");
        }
    }
}
