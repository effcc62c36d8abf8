//! Opens the debug sections of files for one batch, which share its pages, its memory and its fuel.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use gimli::{Dwarf, DwarfPackage, SectionId};

use super::sections::{Debug, DebugFile, Kept};
use crate::elf::Elf;
use crate::elf::section::Contents;
use crate::error::{Error, Result};
use crate::input::ReadAt;
use crate::paged::{Backing, Fuel, PageCache, SectionReader};

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

/// What is read of a `.dwo` file. Addresses and lines are in the file of the skeleton.
const SPLIT_SECTIONS: [SectionId; 5] = [
    SectionId::DebugAbbrev,
    SectionId::DebugInfo,
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
    /// Bytes of sections that are kept for the next batch.
    pub(crate) packed_bytes: usize,
    /// Reads before the batch gives up.
    pub(crate) reads: u64,
}

pub(crate) struct Opener<'a> {
    pages: Rc<RefCell<PageCache>>,
    fuel: Rc<Fuel>,
    memory_left: u64,
    packed_bytes: usize,
    next_id: u32,
    kept: &'a mut Kept,
}

type Readers = HashMap<SectionId, SectionReader>;

impl<'a> Opener<'a> {
    pub(crate) fn new(budget: DebugBudget, kept: &'a mut Kept) -> Self {
        Self {
            pages: PageCache::new(budget.page_bytes),
            fuel: Fuel::new(budget.reads),
            memory_left: budget.inflated_bytes,
            packed_bytes: budget.packed_bytes,
            next_id: 0,
            kept,
        }
    }

    /// Opens the debug sections of `elf`, or of nothing when it has none. `supplement` is the file that
    /// `.gnu_debugaltlink` names.
    pub(crate) fn open(
        &mut self,
        elf: &Elf,
        supplement: Option<&Elf>,
        lowest_code: u64,
    ) -> Result<Option<Debug>> {
        if elf.section(".debug_info").is_none() {
            return Ok(None);
        }
        let readers = self.readers(elf, DebugFile::Main)?;
        let mut debug = self.debug(&readers, DebugFile::Main, lowest_code)?;
        if let Some(supplement) = supplement {
            let readers = self.readers(supplement, DebugFile::Supplement)?;
            debug.dwarf.set_sup(self.dwarf(&readers)?);
            let file = DebugFile::Supplement;
            debug.supplement = Some(Box::new(self.debug(&readers, file, lowest_code)?));
        }
        Ok(Some(debug))
    }

    /// Leaves for the next batch what `debug` came to know.
    pub(crate) fn leave(&mut self, debug: &Debug) {
        debug.leave(self.kept);
    }

    /// Opens a `.dwo` file of `parent`'s.
    pub(super) fn open_split(&mut self, elf: &Elf, parent: &Debug) -> Result<Debug> {
        if elf.section(".debug_info.dwo").is_none() {
            return Err(Error::Malformed("split debug information: there is none"));
        }
        let mut load = |id: SectionId| self.split_reader(elf, id, &SPLIT_SECTIONS);
        let mut dwarf = Dwarf::load(&mut load)?;
        dwarf.make_dwo(&parent.dwarf);
        Ok(parent.split(dwarf))
    }

    /// Opens a `.dwp` file.
    pub(super) fn open_package(&mut self, elf: &Elf) -> Result<DwarfPackage<SectionReader>> {
        if elf.section(".debug_cu_index").is_none() {
            return Err(Error::Malformed("package of debug information: no index"));
        }
        let empty = self.section(0, Backing::Empty);
        // The index speaks of all the sections of a unit, and each has to be there.
        let all = [
            &SPLIT_SECTIONS[..],
            &[
                SectionId::DebugCuIndex,
                SectionId::DebugLine,
                SectionId::DebugLoc,
                SectionId::DebugLocLists,
                SectionId::DebugMacinfo,
                SectionId::DebugMacro,
                SectionId::DebugTypes,
            ],
        ]
        .concat();
        let load = |id: SectionId| self.split_reader(elf, id, &all);
        DwarfPackage::load(load, empty)
    }

    fn split_reader(
        &mut self,
        elf: &Elf,
        id: SectionId,
        read: &[SectionId],
    ) -> Result<SectionReader> {
        match id.dwo_name().filter(|_| read.contains(&id)) {
            // Found anew by each batch, it can be another file the next time.
            Some(name) => self.reader(elf, None, name),
            None => Ok(self.section(0, Backing::Empty)),
        }
    }

    /// Takes the fuel for work that reads no section.
    pub(super) fn spend(&self, reads: u64) -> Result<()> {
        self.fuel.spend(reads).map_err(|_| Error::OverBudget("split debug information"))
    }

    fn readers(&mut self, elf: &Elf, file: DebugFile) -> Result<Readers> {
        let reader = |id: SectionId| Ok((id, self.reader(elf, Some((file, id)), id.name())?));
        SECTIONS.into_iter().map(reader).collect()
    }

    fn debug(&mut self, readers: &Readers, file: DebugFile, lowest_code: u64) -> Result<Debug> {
        let dwarf = self.dwarf(readers)?;
        let offsets = self.kept.offsets(file);
        Ok(Debug::new(dwarf, lowest_code, Rc::clone(&self.fuel), (file, offsets)))
    }

    fn dwarf(&mut self, readers: &Readers) -> Result<Dwarf<SectionReader>> {
        let empty = self.section(0, Backing::Empty);
        let load = |id| Ok(readers.get(&id).unwrap_or(&empty).clone());
        Dwarf::load(load).map_err(|e: gimli::Error| Error::from(e))
    }

    /// What is decompressed is kept under `key`.
    fn reader(
        &mut self,
        elf: &Elf,
        key: Option<(DebugFile, SectionId)>,
        name: &str,
    ) -> Result<SectionReader> {
        let Some(section) = elf.section(name) else {
            return Ok(self.section(0, Backing::Empty));
        };
        if let Some(packed) = key.and_then(|key| self.kept.section(key)) {
            return Ok(self.paged(packed.len(), packed, 0));
        }
        Ok(match elf.contents(section, self.memory_left)? {
            Contents::InFile { offset, size } => {
                self.paged(size as usize, Rc::clone(elf.source()), offset)
            }
            Contents::Decompressed(bytes) => {
                self.memory_left = self.memory_left.saturating_sub(bytes.len() as u64);
                if let Some(key) = key {
                    self.kept.keep(key, &bytes, self.packed_bytes)?;
                }
                self.section(bytes.len(), Backing::Memory(Rc::new(bytes)))
            }
        })
    }

    fn paged(&mut self, len: usize, source: Rc<dyn ReadAt>, offset: u64) -> SectionReader {
        let pages = Rc::clone(&self.pages);
        self.section(len, Backing::File { source, offset, pages })
    }

    fn section(&mut self, len: usize, backing: Backing) -> SectionReader {
        self.next_id += 1;
        SectionReader::new(self.next_id, len, backing, Rc::clone(&self.fuel))
    }
}
