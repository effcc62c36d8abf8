//! Reads executables: headers, build id, unwind table. One thread, one file at a time, so that its memory is bounded.

use std::{
    fs::File,
    ops::Range,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender},
    },
};

use infrared_bpf::{
    PageRows,
    abi::{ir_go_offsets, ir_row, ir_rule},
};
use infrared_processes::image::{ElfClass, ElfHeaders};
use infrared_unwind::{CompactTable, Options};

use super::ImageId;
use crate::health::Pulse;

/// Bytes of an image: its file, or a copy of memory (the vDSO).
#[derive(Clone, Debug)]
pub(crate) enum ImageBytes {
    File(Arc<File>),
    Memory(Arc<[u8]>),
}

/// Read this image.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) image: ImageId,
    pub(super) bytes: ImageBytes,
}

/// What reading an image gave.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) image: ImageId,
    /// `None`: not an ELF file that we understand.
    pub(super) headers: Option<ElfHeaders>,
    pub(super) table: Option<KernelTable>,
}

/// A compact table in the kernel's types.
#[derive(Debug, Default)]
pub(crate) struct KernelTable {
    pub(crate) pages: Vec<PageRows>,
    pub(crate) rows: Vec<ir_row>,
    pub(crate) rules: Vec<ir_rule>,
    pub(crate) go: Option<GoImage>,
}

pub(super) fn run(jobs: &Receiver<Job>, results: &SyncSender<Finished>, pulse: &Pulse) {
    while let Ok(job) = jobs.recv() {
        let unreadable = Finished { image: job.image, headers: None, table: None };
        let finished = pulse.guard("an executable", || read(&job)).unwrap_or(unreadable);
        if results.send(finished).is_err() {
            return;
        }
    }
}

fn read(job: &Job) -> Finished {
    let headers = match &job.bytes {
        ImageBytes::File(file) => ElfHeaders::read(&**file),
        ImageBytes::Memory(bytes) => ElfHeaders::read(&bytes[..]),
    };
    let headers = match headers {
        Ok(headers) => headers,
        Err(error) => {
            tracing::debug!(image = job.image.0, %error, "not an image");
            return Finished { image: job.image, headers: None, table: None };
        }
    };
    let table = (headers.class == ElfClass::Bits64).then(|| build_table(job, &headers)).flatten();
    Finished { image: job.image, headers: Some(headers), table }
}

fn build_table(job: &Job, headers: &ElfHeaders) -> Option<KernelTable> {
    let options = Options::default();
    let built = match &job.bytes {
        ImageBytes::File(file) => {
            let cache = object::ReadCache::new(&**file);
            infrared_unwind::build(&cache, &options)
        }
        ImageBytes::Memory(bytes) => infrared_unwind::build(&bytes[..], &options),
    };
    match built {
        Ok(table) => Some(to_kernel(&table, headers)),
        Err(error) => {
            tracing::debug!(image = job.image.0, %error, "no unwind table");
            None
        }
    }
}

/// Fills the pages of executable segments that have no row with one that says so: the kernel then knows that nothing
/// covers them, rather than that they are not loaded.
fn to_kernel(table: &CompactTable, headers: &ElfHeaders) -> KernelTable {
    let rows = table
        .rows
        .iter()
        .map(|row| ir_row { address_low: row.address_low, rule: row.rule })
        .collect();
    let rules = table.rules.iter().map(|rule| rule.to_abi()).collect();
    let go = table.go.as_ref().map(|go| GoImage { text: go.text.clone(), offsets: go_offsets(go) });
    let mut kernel = KernelTable { pages: Vec::new(), rows, rules, go };
    kernel.pages.extend(table.pages.iter().map(|page| PageRows {
        page: page.index,
        first: page.first_row as usize,
        count: page.row_count as usize,
    }));
    let (first, rule) = (kernel.rows.len(), kernel.rules.len());
    let mut holes = Vec::new();
    for segment in headers.segments.0.iter().filter(|segment| segment.is_executable) {
        let end = segment.svma.saturating_add(segment.memory_size.min(MAX_SEGMENT_BYTES));
        for page in (segment.svma >> PAGE_SHIFT)..=(end.saturating_sub(1) >> PAGE_SHIFT) {
            let Ok(page) = u32::try_from(page) else { continue };
            if table.pages.binary_search_by_key(&page, |p| p.index).is_err() {
                holes.push(PageRows { page, first, count: 1 });
            }
        }
    }
    if !holes.is_empty() && u16::try_from(rule).is_ok() {
        kernel.rules.push(ir_rule::default());
        kernel.rows.push(ir_row { address_low: 0, rule: rule as u16 });
        kernel.pages.extend(holes);
        kernel.pages.sort_by_key(|page| page.page);
        kernel.pages.dedup_by_key(|page| page.page);
    }
    kernel
}

const PAGE_SHIFT: u32 = infrared_unwind::PAGE_SHIFT;
/// A segment that claims more code than this is not believed.
const MAX_SEGMENT_BYTES: u64 = 4 << 30;

fn go_offsets(go: &infrared_unwind::GoInfo) -> Option<ir_go_offsets> {
    let offsets = go.offsets?;
    Some(ir_go_offsets {
        g_tls_offset: offsets.g_tls_offset,
        g_m: offsets.g_m,
        m_curg: offsets.m_curg,
        g_sched_sp: offsets.g_sched_sp,
        g_sched_pc: offsets.g_sched_pc,
        g_sched_bp: offsets.g_sched_bp,
        present: 1,
    })
}

/// What is known of an image's Go runtime.
#[derive(Clone, Debug)]
pub(crate) struct GoImage {
    /// Stated addresses of Go code.
    pub(crate) text: Range<u64>,
    pub(crate) offsets: Option<ir_go_offsets>,
}

impl ImageBytes {
    /// Bytes; 0 if the file does not tell.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::File(file) => file.metadata().map_or(0, |meta| meta.len()),
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }
}
