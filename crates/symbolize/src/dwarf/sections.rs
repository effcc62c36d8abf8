//! The debug sections of one file as a [`gimli::Dwarf`], and its units.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use gimli::{Abbreviations, DebugInfoOffset, Dwarf, SectionId, Unit, UnitOffset};

use super::names::Name;
use crate::elf::Elf;
use crate::elf::section::Contents;
use crate::error::{Error, Result};
use crate::paged::{Backing, Fuel, PageCache, SectionReader};

/// Reads that one unit's header, abbreviations and file table may take. The largest seen take some
/// 100,000; what gimli builds from a read is about 40 bytes.
const UNIT_READS: u64 = 1 << 20;
const ABBREVIATIONS_KEPT: usize = 8;
const UNITS_KEPT: usize = 16;
const NAMES_KEPT: usize = 8192;
/// Units in one file. A browser has some 30,000.
const MAX_UNITS: usize = 1 << 20;

const SECTIONS: [SectionId; 10] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
];

/// What one batch may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DebugBudget {
    /// Bytes of file pages held.
    pub(crate) page_bytes: u64,
    /// Bytes of decompressed sections.
    pub(crate) inflated_bytes: u64,
    /// Reads before the batch gives up.
    pub(crate) reads: u64,
}

/// Which of an image's debug files a section is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum DebugFile {
    Main,
    Supplement,
}

/// What a batch leaves for the next one: a busy image has a few new addresses in every window, and to decompress its sections and
/// to list its units costs more than to look the addresses up.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    inflated: HashMap<(DebugFile, SectionId), Rc<Vec<u8>>>,
    offsets: HashMap<DebugFile, Rc<[usize]>>,
}

impl Kept {
    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        let inflated: usize = self.inflated.values().map(|bytes| bytes.len()).sum();
        let offsets: usize = self.offsets.values().map(|offsets| size_of_val::<[_]>(offsets)).sum();
        inflated + offsets
    }
}

/// The debug information of one file, open for one batch.
pub(crate) struct Debug {
    pub(crate) dwarf: Dwarf<SectionReader>,
    pub(crate) supplement: Option<Box<Debug>>,
    /// Code below this address was discarded by the linker.
    pub(crate) lowest_code: u64,
    fuel: Rc<Fuel>,
    file: DebugFile,
    offsets: RefCell<Option<Rc<[usize]>>>,
    units: RefCell<HashMap<usize, Rc<Unit<SectionReader>>>>,
    abbreviations: RefCell<HashMap<usize, Arc<Abbreviations>>>,
    names: RefCell<HashMap<usize, Option<Name>>>,
}

impl Debug {
    /// Opens the debug sections of `elf`, or of nothing when it has none. `supplement` is the file that
    /// `.gnu_debugaltlink` names.
    pub(crate) fn open(
        elf: &Elf,
        supplement: Option<&Elf>,
        lowest_code: u64,
        budget: DebugBudget,
        kept: &mut Kept,
    ) -> Result<Option<Self>> {
        if elf.section(".debug_info").is_none() {
            return Ok(None);
        }
        let mut opener = Opener {
            pages: PageCache::new(budget.page_bytes),
            fuel: Fuel::new(budget.reads),
            memory_left: budget.inflated_bytes,
            next_id: 0,
            kept,
        };
        let readers = opener.readers(elf, DebugFile::Main)?;
        let mut debug = opener.debug(&readers, DebugFile::Main, lowest_code)?;
        if let Some(supplement) = supplement {
            let readers = opener.readers(supplement, DebugFile::Supplement)?;
            debug.dwarf.set_sup(opener.dwarf(&readers)?);
            let file = DebugFile::Supplement;
            debug.supplement = Some(Box::new(opener.debug(&readers, file, lowest_code)?));
        }
        Ok(Some(debug))
    }

    /// Leaves for the next batch what this one came to know.
    pub(crate) fn leave(&self, kept: &mut Kept) {
        if let Some(offsets) = &*self.offsets.borrow() {
            kept.offsets.insert(self.file, Rc::clone(offsets));
        }
        if let Some(supplement) = &self.supplement {
            supplement.leave(kept);
        }
    }

    pub(crate) fn out_of_fuel(&self) -> bool {
        self.fuel.is_spent()
    }

    /// Accounts for work that reads nothing, as attributes without bytes.
    pub(crate) fn spend(&self, reads: usize) -> gimli::Result<()> {
        self.fuel.spend(reads as u64)
    }

    /// The offsets in `.debug_info` of all units, ascending.
    pub(crate) fn unit_offsets(&self) -> Result<Rc<[usize]>> {
        if let Some(offsets) = &*self.offsets.borrow() {
            return Ok(Rc::clone(offsets));
        }
        let mut offsets = Vec::new();
        let mut headers = self.dwarf.units();
        // A damaged header ends the list; the units before it are good.
        while let Ok(Some(header)) = headers.next() {
            if let Some(offset) = header.debug_info_offset() {
                offsets.push(offset.0);
            }
            if offsets.len() > MAX_UNITS {
                return Err(Error::OverBudget("unit list"));
            }
        }
        let offsets: Rc<[usize]> = offsets.into();
        *self.offsets.borrow_mut() = Some(Rc::clone(&offsets));
        Ok(offsets)
    }

    /// The unit that starts at `offset` of `.debug_info`.
    pub(crate) fn unit(&self, offset: usize) -> Result<Rc<Unit<SectionReader>>> {
        if let Some(unit) = self.units.borrow().get(&offset) {
            return Ok(Rc::clone(unit));
        }
        let header = self.dwarf.debug_info.header_from_offset(DebugInfoOffset(offset))?;
        let key = header.debug_abbrev_offset().0;
        let held = self.abbreviations.borrow().get(&key).map(Arc::clone);
        let unit = self.fuel.at_most(UNIT_READS, || {
            let abbreviations = match held {
                Some(abbreviations) => abbreviations,
                None => self.dwarf.abbreviations(&header)?,
            };
            Unit::new_with_abbreviations(&self.dwarf, header, abbreviations)
        })?;
        keep(&self.abbreviations, ABBREVIATIONS_KEPT, key, Arc::clone(&unit.abbreviations));
        let unit = Rc::new(unit);
        keep(&self.units, UNITS_KEPT, offset, Rc::clone(&unit));
        Ok(unit)
    }

    /// The name of the entry at an offset of `.debug_info`, which `find` is asked for the first time.
    pub(crate) fn name_once(
        &self,
        entry: usize,
        find: impl FnOnce() -> Option<Name>,
    ) -> Option<Name> {
        if let Some(name) = self.names.borrow().get(&entry) {
            return name.clone();
        }
        let name = find();
        keep(&self.names, NAMES_KEPT, entry, name.clone());
        name
    }

    /// The unit that holds an offset of `.debug_info`, and the offset within it.
    pub(crate) fn unit_around(
        &self,
        offset: DebugInfoOffset<usize>,
    ) -> Result<(usize, UnitOffset<usize>)> {
        let offsets = self.unit_offsets()?;
        let after = offsets.partition_point(|&start| start <= offset.0);
        let start = after.checked_sub(1).map(|i| offsets[i]);
        let start = start.ok_or(Error::Malformed("reference to a unit"))?;
        Ok((start, UnitOffset(offset.0 - start)))
    }
}

/// Keeps few entries; which one goes does not matter for what follows, only for speed.
fn keep<T>(cache: &RefCell<HashMap<usize, T>>, limit: usize, key: usize, value: T) {
    let mut cache = cache.borrow_mut();
    if cache.len() >= limit {
        cache.clear();
    }
    cache.insert(key, value);
}

struct Opener<'a> {
    pages: Rc<RefCell<PageCache>>,
    fuel: Rc<Fuel>,
    memory_left: u64,
    next_id: u32,
    kept: &'a mut Kept,
}

type Readers = HashMap<SectionId, SectionReader>;

impl Opener<'_> {
    fn readers(&mut self, elf: &Elf, file: DebugFile) -> Result<Readers> {
        SECTIONS.into_iter().map(|id| Ok((id, self.reader(elf, file, id)?))).collect()
    }

    fn debug(&mut self, readers: &Readers, file: DebugFile, lowest_code: u64) -> Result<Debug> {
        Ok(Debug {
            dwarf: self.dwarf(readers)?,
            supplement: None,
            lowest_code,
            fuel: Rc::clone(&self.fuel),
            file,
            offsets: RefCell::new(self.kept.offsets.get(&file).map(Rc::clone)),
            units: RefCell::default(),
            abbreviations: RefCell::default(),
            names: RefCell::default(),
        })
    }

    fn dwarf(&mut self, readers: &Readers) -> Result<Dwarf<SectionReader>> {
        let empty = self.section(0, Backing::Empty);
        let load = |id| Ok(readers.get(&id).unwrap_or(&empty).clone());
        Dwarf::load(load).map_err(|e: gimli::Error| Error::from(e))
    }

    fn reader(&mut self, elf: &Elf, file: DebugFile, id: SectionId) -> Result<SectionReader> {
        let Some(section) = elf.section(id.name()) else {
            return Ok(self.section(0, Backing::Empty));
        };
        if let Some(bytes) = self.kept.inflated.get(&(file, id)).map(Rc::clone) {
            return Ok(self.inflated(bytes));
        }
        Ok(match elf.contents(section, self.memory_left)? {
            Contents::InFile { offset, size } => {
                let (source, pages) = (Rc::clone(elf.source()), Rc::clone(&self.pages));
                self.section(size as usize, Backing::File { source, offset, pages })
            }
            Contents::Decompressed(bytes) => {
                let bytes = Rc::new(bytes);
                self.kept.inflated.insert((file, id), Rc::clone(&bytes));
                self.inflated(bytes)
            }
        })
    }

    fn inflated(&mut self, bytes: Rc<Vec<u8>>) -> SectionReader {
        self.memory_left = self.memory_left.saturating_sub(bytes.len() as u64);
        self.section(bytes.len(), Backing::Memory(bytes))
    }

    fn section(&mut self, len: usize, backing: Backing) -> SectionReader {
        self.next_id += 1;
        SectionReader::new(self.next_id, len, backing, Rc::clone(&self.fuel))
    }
}
