//! The entry point: addresses of an image in, names out; what was named before comes from the cache.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use lru::LruCache;

use crate::cache::{ImageSerial, ResultCache, Shared};
use crate::debug_file::DebugSearch;
use crate::demangle::demangle;
use crate::dwarf::Kept;
use crate::elf::Elf;
use crate::elf::symbol_index::KnownSymbols;
use crate::input::ReadAt;
use crate::line::{Frame, Line, Symbolized};
use crate::resolve::{ImageMemory, Resolved, Resolver, is_unnamed};
use crate::stats::Stats;

/// Images whose serial numbers and indexes are kept.
const MAX_IMAGES: usize = 4096;

/// Memory that a [`Symbolizer`] may use, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Named addresses, with their strings.
    pub result_bytes: usize,
    /// Where units and functions are in debug information, and where symbols start, kept between batches.
    pub index_bytes: usize,
    /// Sections of debug information that their files have compressed, kept between batches for the images that were named last:
    /// compressed anew, in pages, to about half.
    pub packed_bytes: usize,
    /// One image's pages and decompressed sections while a batch lasts. Compressed debug information
    /// that takes more than half of it is not used. The work on a batch is bounded in proportion.
    pub transient_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            result_bytes: 8 << 20,
            index_bytes: 8 << 20,
            packed_bytes: 5 << 20,
            transient_bytes: 64 << 20,
        }
    }
}

/// What tells images apart. Equal ids must mean equal content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ImageId {
    /// The GNU build id, in hexadecimal.
    BuildId(Arc<str>),
    /// For a file without build id.
    File { device: u64, inode: u64, modified_ns: i64 },
}

/// Opens the image; called once for a batch that the cache cannot answer.
pub type Open<'a> = dyn Fn() -> io::Result<Box<dyn ReadAt>> + 'a;

/// An image and how to reach it.
pub struct Image<'a> {
    pub id: &'a ImageId,
    pub open: &'a Open<'a>,
    pub search: &'a DebugSearch,
}

impl fmt::Debug for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("id", self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Symbolizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbolizer").field("stats", &self.stats).finish_non_exhaustive()
    }
}

/// Names addresses of ELF images.
pub struct Symbolizer {
    limits: Limits,
    results: ResultCache,
    images: LruCache<ImageId, (ImageSerial, ImageMemory)>,
    next_serial: ImageSerial,
    stats: Stats,
}

impl Symbolizer {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            results: ResultCache::new(limits.result_bytes),
            images: LruCache::unbounded(),
            next_serial: 0,
            stats: Stats::default(),
        }
    }

    /// Names each of `svmas`: stated virtual addresses (those of the image's program headers). For a
    /// return address pass the address before it, which is in the call.
    pub fn symbolize(&mut self, image: &Image<'_>, svmas: &[u64]) -> Vec<Symbolized> {
        let (serial, mut memory) = self.take_image(image.id);
        let mut known = HashMap::new();
        let mut missing = Vec::new();
        let mut shared = Shared::new();
        for &svma in svmas {
            if let Some(symbolized) = self.results.get(serial, svma, &mut shared) {
                self.stats.hits += 1;
                known.insert(svma, symbolized);
            } else {
                missing.push(svma);
            }
        }
        missing.sort_unstable();
        missing.dedup();
        self.stats.misses += missing.len() as u64;
        if !missing.is_empty() {
            self.resolve(image, (serial, &mut memory), &missing, &mut known);
        }
        self.return_image(image.id, serial, memory);
        let module = image.search.module();
        let name = |svma: &u64| match known.get(svma) {
            Some(symbolized) => symbolized.clone(),
            None => finish(&module, *svma, Vec::new(), &mut Functions::new()),
        };
        svmas.iter().map(name).collect()
    }

    fn resolve(
        &mut self,
        image: &Image<'_>,
        (serial, memory): (ImageSerial, &mut ImageMemory),
        missing: &[u64],
        known: &mut HashMap<u64, Symbolized>,
    ) {
        // What cannot be opened now may be another time: such results are not cached.
        let Some(binary) = (image.open)().ok().and_then(|f| Elf::parse(Rc::from(f)).ok()) else {
            self.stats.image_errors += 1;
            self.stats.unnamed += missing.len() as u64;
            return;
        };
        let mut resolver = Resolver {
            binary: &binary,
            search: image.search,
            memory,
            stats: &mut self.stats,
            transient_bytes: self.limits.transient_bytes,
            packed_bytes: self.limits.packed_bytes,
            symbol_bytes: self.limits.index_bytes / 2,
        };
        let answers = resolver.resolve(missing);
        let module = image.search.module();
        // The same names come up at many addresses.
        let mut functions = HashMap::new();
        for (&svma, Resolved { frames, start, extent }) in missing.iter().zip(answers) {
            let symbolized = finish(&module, start, frames, &mut functions);
            self.stats.unnamed += u64::from(symbolized.unnamed);
            self.results.insert(serial, extent, &symbolized);
            known.insert(svma, symbolized);
        }
    }

    fn take_image(&mut self, id: &ImageId) -> (ImageSerial, ImageMemory) {
        if let Some(image) = self.images.pop(id) {
            return image;
        }
        // Numbers are not used again before 4 billion images; a cached result is long gone by then.
        self.next_serial = self.next_serial.wrapping_add(1);
        (self.next_serial, ImageMemory::default())
    }

    /// Puts an image back as the most recent one, and gives up what exceeds the limits.
    fn return_image(&mut self, id: &ImageId, serial: ImageSerial, memory: ImageMemory) {
        self.images.put(id.clone(), (serial, memory));
        if self.images.len() > MAX_IMAGES {
            self.images.pop_lru();
        }
        let (mut indexes, mut kept) = (0, 0);
        for (_, (_, memory)) in &mut self.images {
            memory.dwarf.shrink(self.limits.index_bytes - indexes);
            indexes += memory.dwarf.size();
            if indexes + memory.symbols.size() > self.limits.index_bytes {
                memory.symbols = KnownSymbols::default();
            }
            indexes += memory.symbols.size();
            if kept + memory.kept.size() > self.limits.packed_bytes {
                memory.kept = Kept::default();
            }
            kept += memory.kept.size();
        }
    }

    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Bytes held between batches, about.
    pub fn size(&self) -> usize {
        let held =
            |memory: &ImageMemory| memory.dwarf.size() + memory.symbols.size() + memory.kept.size();
        let indexes: usize = self.images.iter().map(|(_, (_, memory))| held(memory)).sum();
        self.results.bytes() + indexes
    }
}

/// `start` stands for the name of what has none.
fn finish(module: &str, start: u64, frames: Vec<Frame>, functions: &mut Functions) -> Symbolized {
    let unnamed = is_unnamed(&frames);
    let frames = if frames.is_empty() { vec![Frame::default()] } else { frames };
    let lines = frames.into_iter().map(|frame| {
        let system_name = frame.system_name.unwrap_or_else(|| placeholder(module, start));
        let function = frame.function.unwrap_or_else(|| demangled(functions, &system_name));
        Line { function, system_name, file: frame.file.unwrap_or_default(), line: frame.line }
    });
    Symbolized { lines: lines.collect(), unnamed }
}

/// Linker name → demangled name, for one batch.
type Functions = HashMap<Arc<str>, Arc<str>>;

fn demangled(functions: &mut Functions, system_name: &Arc<str>) -> Arc<str> {
    let function = functions.entry(Arc::clone(system_name));
    Arc::clone(function.or_insert_with(|| demangle(system_name).into()))
}

fn placeholder(module: &str, start: u64) -> Arc<str> {
    format!("{module}+{start:#x}").into()
}
