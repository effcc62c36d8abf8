//! Reads executables: headers, build id, plan and pages of the unwind table. One thread, one job at a time, so that its
//! memory is bounded.
//!
//! Files are hostile, and their readers must not panic. Should one do so all the same, that file is unreadable and the
//! thread goes on.

use std::sync::{
    Arc,
    mpsc::{Receiver, SyncSender},
};

use infrared_bpf::abi::{ir_row, ir_rule};
use infrared_processes::image::{ElfClass, ElfHeaders, LoadSegments};
use infrared_runtimes::{Found, ImageFacts};
use infrared_unwind::{CompactTable, Options, Plan};

use super::{
    ImageId,
    compare::SameContents,
    paged_file::PagedFile,
    plans::Plans,
    source::{ImageBytes, ImageSource},
};
use crate::health::Pulse;

/// Images of so few pages are made whole at first sight.
const SMALL_PAGES: usize = 8;

/// What is to be done.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) image: ImageId,
    pub(super) source: ImageSource,
    pub(super) path: Arc<str>,
    /// Of an image that was read before.
    pub(super) runtimes: Vec<Found>,
    pub(super) what: Task,
    /// Images that are gone since the last job.
    pub(super) gone: Vec<ImageId>,
}

#[derive(Debug)]
pub(super) enum Task {
    /// Read headers, and plan.
    Read,
    Make(Vec<u32>),
}

/// What came of a job.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) image: ImageId,
    pub(super) result: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Read(Box<ReadImage>),
    /// No ELF file that we understand.
    NoImage,
    Made(Vec<Page>),
    /// Pages that cannot be made: the file is out of reach, or is another one by now.
    Unmade(Vec<u32>),
    /// The reader panicked; the pages that were to be made.
    Panicked(Vec<u32>),
}

/// What reading an image gave.
#[derive(Debug)]
pub(super) struct ReadImage {
    pub(super) headers: ElfHeaders,
    /// An image that has the same contents; all else is then known from it.
    pub(super) same_as: Option<ImageId>,
    pub(super) is_planned: bool,
    pub(super) runtimes: Vec<Found>,
    /// All pages of a small image.
    pub(super) pages: Vec<Page>,
}

/// A page in the kernel's types.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) number: u32,
    pub(super) rows: Vec<ir_row>,
    pub(super) rules: Vec<ir_rule>,
}

/// Does jobs until nobody wants results.
pub(super) fn run(jobs: &Receiver<Job>, results: &SyncSender<Finished>, pulse: &Pulse) {
    let mut reader = Reader::default();
    while let Ok(job) = jobs.recv() {
        let finished = reader.finish(job, pulse);
        if results.send(finished).is_err() {
            return;
        }
    }
}

#[derive(Debug, Default)]
struct Reader {
    plans: Plans,
    same: SameContents,
}

impl Reader {
    fn finish(&mut self, job: Job, pulse: &Pulse) -> Finished {
        self.same.forget(&job.gone);
        for image in &job.gone {
            self.plans.take(*image);
        }
        let Job { image, source, path, runtimes, what, .. } = job;
        // What is half done is not looked at again: a plan is taken out while it is used.
        let result = pulse.guard("an executable", || match &what {
            Task::Read => self.read(image, &source, &path),
            Task::Make(pages) => {
                let made = self.make((image, &runtimes), &source, pages);
                made.map_or_else(|| Outcome::Unmade(pages.clone()), Outcome::Made)
            }
        });
        let result = result.unwrap_or_else(|| {
            Outcome::Panicked(if let Task::Make(pages) = what { pages } else { Vec::new() })
        });
        Finished { image, result }
    }

    fn read(&mut self, image: ImageId, source: &ImageSource, path: &str) -> Outcome {
        let Ok(bytes) = source.open() else { return Outcome::NoImage };
        let headers = match &bytes {
            ImageBytes::File(file) => ElfHeaders::read(&**file),
            ImageBytes::Memory(bytes) => ElfHeaders::read(&bytes[..]),
        };
        let headers = match headers {
            Ok(headers) => headers,
            Err(error) => {
                tracing::debug!(image = image.0, %error, "not an image");
                return Outcome::NoImage;
            }
        };
        let mut read = ReadImage {
            headers,
            same_as: None,
            is_planned: false,
            runtimes: Vec::new(),
            pages: Vec::new(),
        };
        let build_id = read.headers.build_id.as_ref().map(ToString::to_string);
        read.same_as = build_id.and_then(|build_id| {
            self.same.find((image, source), &bytes, &build_id, &read.headers.segments)
        });
        if read.same_as.is_none() && read.headers.class == ElfClass::Bits64 {
            self.plan((image, path), &bytes, &mut read);
        }
        Outcome::Read(Box::new(read))
    }

    fn plan(&mut self, (image, path): (ImageId, &str), bytes: &ImageBytes, read: &mut ReadImage) {
        let mut plan = match open_plan(bytes) {
            Ok(plan) => plan,
            Err(error) => {
                tracing::debug!(image = image.0, %error, "no unwind table");
                return;
            }
        };
        read.is_planned = true;
        read.runtimes = detect(&plan, bytes, &read.headers.segments, path);
        mark(&mut plan, bytes, &read.runtimes);
        let pages: Vec<u32> = plan.pages().take(SMALL_PAGES + 1).collect();
        if pages.len() <= SMALL_PAGES {
            read.pages = make(&mut plan, bytes, &pages).unwrap_or_default();
        }
        self.plans.put(image, plan);
    }

    fn make(
        &mut self,
        (image, runtimes): (ImageId, &[Found]),
        source: &ImageSource,
        pages: &[u32],
    ) -> Option<Vec<Page>> {
        let bytes = source.open().ok()?;
        let mut plan = match self.plans.take(image) {
            Some(plan) => plan,
            None => open_marked_plan(&bytes, runtimes)?,
        };
        let made = make(&mut plan, &bytes, pages);
        self.plans.put(image, plan);
        made
    }
}

fn open_plan(bytes: &ImageBytes) -> Result<Plan, infrared_unwind::Error> {
    let options = Options {
        symbols: infrared_runtimes::SYMBOLS,
        own_symbols: infrared_runtimes::OWN_SYMBOLS,
        ..Options::default()
    };
    match bytes {
        ImageBytes::File(file) => Plan::open(&PagedFile::cache(file), &options),
        ImageBytes::Memory(bytes) => Plan::open(&bytes[..], &options),
    }
}

/// The runtimes of an image that nobody has read yet.
pub(crate) fn runtimes_in(bytes: &ImageBytes, segments: &LoadSegments, path: &str) -> Vec<Found> {
    let plan = open_plan(bytes).ok();
    plan.map(|plan| detect(&plan, bytes, segments, path)).unwrap_or_default()
}

fn detect(plan: &Plan, bytes: &ImageBytes, segments: &LoadSegments, path: &str) -> Vec<Found> {
    infrared_runtimes::detect(&ImageFacts {
        go: plan.go(),
        symbols: plan.symbols(),
        path,
        read: &|svma, buffer| bytes.read_at_svma(segments, svma, buffer),
    })
}

fn open_marked_plan(bytes: &ImageBytes, runtimes: &[Found]) -> Option<Plan> {
    let mut plan = open_plan(bytes).ok()?;
    mark(&mut plan, bytes, runtimes);
    Some(plan)
}

/// Rows of a runtime's loop say so.
fn mark(plan: &mut Plan, bytes: &ImageBytes, runtimes: &[Found]) {
    for (runtime, entry) in runtimes.iter().filter_map(|found| found.loop_at()) {
        let is_described = match bytes {
            ImageBytes::File(file) => plan.mark(&PagedFile::cache(file), entry, runtime),
            ImageBytes::Memory(bytes) => plan.mark(&bytes[..], entry, runtime),
        };
        tracing::debug!(?runtime, is_described, "a runtime's loop");
    }
    for runtime in runtimes.iter().filter_map(|found| found.undescribed_code()) {
        plan.mark_rest(runtime);
    }
}

fn make(plan: &mut Plan, bytes: &ImageBytes, pages: &[u32]) -> Option<Vec<Page>> {
    let made = match bytes {
        ImageBytes::File(file) => plan.make(&PagedFile::cache(file), pages),
        ImageBytes::Memory(bytes) => plan.make(&bytes[..], pages),
    };
    Some(made.ok()?.into_iter().map(|(number, table)| to_kernel(number, &table)).collect())
}

fn to_kernel(number: u32, table: &CompactTable) -> Page {
    let row = |row: &infrared_unwind::Row| ir_row { address_low: row.address_low, rule: row.rule };
    Page {
        number,
        rows: table.rows.iter().map(row).collect(),
        rules: table.rules.iter().map(|rule| rule.to_abi()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_is_gone_is_made_again() {
        let (image, mut reader) = (ImageId(20), Reader::default());
        let own = std::fs::read("/proc/self/exe").unwrap();
        let source = ImageSource::of_memory(own.into());
        let Outcome::Read(read) = reader.read(image, &source, "") else { panic!("it is an image") };
        assert!(read.is_planned && read.pages.is_empty(), "it is no small one");
        let entry = (read.headers.entry_svma >> infrared_unwind::PAGE_SHIFT) as u32;
        let mut made = || {
            let made = reader.make((image, &[]), &source, &[entry, 1 << 30]);
            assert!(reader.plans.take(image).is_some());
            let pages = made.unwrap();
            pages.into_iter().map(|page| page.rows).collect::<Vec<_>>()
        };
        let first = made();
        assert!(first[0].len() > 1 && first[1].len() == 1);
        assert_eq!(first, made());
    }
}
