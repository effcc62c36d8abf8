//! Reads `/proc` and opens the files that processes have mapped, on threads of its own: what a process controls can make
//! a read wait for ever, and then only a thread of these does.
//!
//! It answers questions and decides nothing. An answer says when it was read: whether the process was still what it was
//! asked about, only the events up to then can tell.

mod files;
mod functions;
mod identity;
mod pool;

use infrared_processes::{image::MovedText, maps::Mapping};
use infrared_runtimes::{Attached, Named};

use crate::{
    images::{FileIdentity, HeldFile},
    watch::{AttachWanted, FunctionKey, FunctionWanted, ProcessIdentity, SpaceId},
};

pub(crate) use files::read_own_vdso;
pub(crate) use functions::attach_one as attach;
pub(crate) use identity::Identifier;
pub(crate) use pool::Reader;

/// What is to be read of the address space of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) pid: u32,
    pub(crate) space: SpaceId,
    /// `false`: the process has ended, or executes something else by now. Only the paths of its files are left.
    pub(crate) is_current: bool,
    pub(crate) code: CodeWanted,
    pub(crate) identity: bool,
    /// Mappings whose files are to be opened.
    pub(crate) files: Vec<Mapping>,
    pub(crate) functions: Vec<FunctionWanted>,
    pub(crate) runtimes: Vec<AttachWanted>,
}

impl Ask {
    pub(crate) fn wants_mappings(&self) -> bool {
        self.code != CodeWanted::Nothing
    }
}

/// What is to be read of the code of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeWanted {
    Nothing,
    /// All executable mappings.
    Mappings,
    /// These, and the files behind them are opened.
    MappingsAndFiles,
}

/// A question for the reader.
#[derive(Debug)]
pub(crate) enum Question {
    Process(Ask),
    /// Which of these processes have a thread that lives.
    Alive(Vec<u32>),
}

/// The files of a process that is gone are nobody's in particular.
pub(crate) const NOBODY: u32 = u32::MAX;

/// What was read of a process.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) ask: Ask,
    /// `CLOCK_MONOTONIC` time when the last of it was read.
    pub(crate) read_ns: u64,
    /// `None`: it is gone, or another process has its pid.
    pub(crate) process: Option<FoundProcess>,
    /// Its effective user; [`NOBODY`] of one that is gone.
    pub(crate) user: u32,
    pub(crate) files: Vec<FoundFile>,
    pub(crate) functions: Vec<(FunctionKey, Option<Named>)>,
    pub(crate) runtimes: Vec<Attached>,
}

/// See [`Answer`].
#[derive(Debug)]
pub(crate) struct FoundProcess {
    /// `mm->start_stack`, not 0.
    pub(crate) start_stack: u64,
    pub(crate) mappings: Option<Vec<Mapping>>,
    /// Those of them that are text without its file, and where the file is to be had.
    pub(crate) moved: Vec<MovedText>,
    pub(crate) identity: Option<FoundIdentity>,
}

/// Who a process is.
#[derive(Clone, Debug)]
pub(crate) struct FoundIdentity {
    pub(crate) labels: ProcessIdentity,
    /// Its service's name comes from what children inherit: environment, cgroup.
    pub(crate) is_heritable: bool,
}

/// The file behind a mapping.
#[derive(Debug)]
pub(crate) struct FoundFile {
    pub(crate) mapping: Mapping,
    /// `None`: it cannot be opened.
    pub(crate) file: Option<OpenedFile>,
}

#[derive(Debug)]
pub(crate) struct OpenedFile {
    pub(crate) file: HeldFile,
    /// `None`: it cannot be told from others.
    pub(crate) identity: Option<FileIdentity>,
    /// `/proc/PID/root` of the process, empty for our own.
    pub(crate) root: String,
}

/// An answer to a [`Question`].
#[derive(Debug)]
pub(crate) enum Reply {
    Process(Box<Answer>),
    Alive { asked: Vec<u32>, alive: Vec<u32> },
}
