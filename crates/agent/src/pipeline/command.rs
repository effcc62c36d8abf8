//! What goes into a turn of the pipeline, and what comes out of it.

use infrared_bpf::{
    CopiedStack, MappingBlock, PageKey, PageTable, Record, SidebandRecord, TableError, Unwound,
};
use infrared_symbolize::JitProcess;

use crate::{
    reader::{Question, Reply},
    watch::SpaceId,
    window::ClosedWindow,
};

/// What has come in since the last turn.
#[derive(Debug, Default)]
pub(crate) struct Input {
    pub(crate) records: Vec<Record>,
    /// In order of time.
    pub(crate) events: Vec<SidebandRecord>,
    /// All events up to this `CLOCK_MONOTONIC` time are there.
    pub(crate) horizon_ns: u64,
    pub(crate) replies: Vec<Reply>,
    /// `CLOCK_MONOTONIC`.
    pub(crate) now_ns: u64,
    /// Windows wait to be named: the open one goes on instead of closing.
    pub(crate) is_naming_behind: bool,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Command {
    /// The reader is to be asked. If it has no room: [`super::Pipeline::unasked`].
    Ask(Question),
    /// The kernel side is to be told of a process. What came of it: [`super::Pipeline::published`].
    Publish { pid: u32, space: SpaceId, block: MappingBlock },
    /// The kernel side is to forget the mappings of a process, which it may go on to sample.
    ForgetMappings(u32),
    /// The process has ended: the kernel side is to forget all of it.
    ForgetProcess(u32),
    /// This process runs code without a file. Its perf map is to be read now: it may be gone when the window closes.
    ReadPerfMap(JitProcess),
    /// The window is to be named and delivered.
    Deliver(Box<ClosedWindow>),
}

/// What of the kernel side a turn needs at once: calculations over its tables, and the tables themselves.
pub(crate) trait Tables {
    /// Whether a page of an image's table is loaded.
    fn contains(&self, key: PageKey) -> bool;
    /// Loads a page. Others make room for it.
    fn insert(&mut self, key: PageKey, table: PageTable<'_>) -> Result<(), TableError>;
    /// Makes room for pages that come next, with so many rows together.
    fn make_room(&mut self, rows: usize) -> Result<(), TableError>;
    /// Says of a page that it cannot be had.
    fn insert_unreadable(&mut self, key: PageKey) -> Result<(), TableError>;
    fn remove_page(&mut self, key: PageKey);
    fn remove_image(&mut self, image: u32);
    /// Walks a copied stack.
    fn walk(&mut self, pid: u32, block: &MappingBlock, stack: CopiedStack<'_>) -> Unwound;
}
