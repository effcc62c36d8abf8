//! The debug sections of one file as a [`gimli::Dwarf`], and its units.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use gimli::{Abbreviations, DebugInfoOffset, Dwarf, SectionId, Unit, UnitHeader, UnitOffset};

use super::names::Name;
use crate::error::{Error, Result};
use crate::packed::Packed;
use crate::paged::{Fuel, SectionReader};

/// Reads that one unit's header, abbreviations and file table may take. The largest seen take some
/// 100,000; what gimli builds from a read is about 40 bytes.
const UNIT_READS: u64 = 1 << 20;
const ABBREVIATIONS_KEPT: usize = 8;
const UNITS_KEPT: usize = 16;
const NAMES_KEPT: usize = 8192;
/// Units in one file. A browser has some 30,000.
const MAX_UNITS: usize = 1 << 20;

/// Which of an image's debug files a section is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum DebugFile {
    Main,
    Supplement,
    /// A `.dwo` file, or a unit's part of a package.
    Split,
}

/// What a batch leaves for the next one: a busy image has a few new addresses in every window, and to decompress its sections and
/// to list its units costs more than to look the addresses up.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    packed: HashMap<(DebugFile, SectionId), Rc<Packed>>,
    /// There is no room for it: it is not packed in vain each time.
    is_too_large: bool,
    offsets: HashMap<DebugFile, Rc<[usize]>>,
}

impl Kept {
    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        let packed = self.packed_bytes();
        let offsets: usize = self.offsets.values().map(|offsets| size_of_val::<[_]>(offsets)).sum();
        packed + offsets
    }

    fn packed_bytes(&self) -> usize {
        self.packed.values().map(|packed| packed.size()).sum()
    }

    pub(super) fn section(&self, key: (DebugFile, SectionId)) -> Option<Rc<Packed>> {
        self.packed.get(&key).map(Rc::clone)
    }

    /// Keeps a section's bytes; none of the image's if all of them take more than `most` bytes.
    pub(super) fn keep(
        &mut self,
        key: (DebugFile, SectionId),
        plain: &[u8],
        most: usize,
    ) -> Result<()> {
        if self.is_too_large {
            return Ok(());
        }
        if let Some(packed) = Packed::new(plain, most.saturating_sub(self.packed_bytes()))? {
            self.packed.insert(key, Rc::new(packed));
        } else {
            self.packed = HashMap::new();
            self.is_too_large = true;
        }
        Ok(())
    }

    pub(super) fn offsets(&self, file: DebugFile) -> Option<Rc<[usize]>> {
        self.offsets.get(&file).map(Rc::clone)
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
    pub(super) fn new(
        dwarf: Dwarf<SectionReader>,
        lowest_code: u64,
        fuel: Rc<Fuel>,
        (file, offsets): (DebugFile, Option<Rc<[usize]>>),
    ) -> Self {
        Self {
            dwarf,
            supplement: None,
            lowest_code,
            fuel,
            file,
            offsets: RefCell::new(offsets),
            units: RefCell::default(),
            abbreviations: RefCell::default(),
            names: RefCell::default(),
        }
    }

    /// What `dwarf` has of this file's units.
    pub(super) fn split(&self, dwarf: Dwarf<SectionReader>) -> Self {
        Self::new(dwarf, self.lowest_code, Rc::clone(&self.fuel), (DebugFile::Split, None))
    }

    /// Leaves for the next batch what this one came to know.
    pub(super) fn leave(&self, kept: &mut Kept) {
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
        self.read_unit(header).map(|unit| self.hold(unit))
    }

    /// Makes `unit`, of this file, the one that references to it lead to.
    pub(super) fn hold(&self, unit: Unit<SectionReader>) -> Rc<Unit<SectionReader>> {
        let offset = unit.header.debug_info_offset();
        let unit = Rc::new(unit);
        if let Some(offset) = offset {
            keep(&self.units, UNITS_KEPT, offset.0, Rc::clone(&unit));
        }
        unit
    }

    /// Reads a unit anew.
    pub(super) fn read_unit(
        &self,
        header: UnitHeader<SectionReader>,
    ) -> Result<Unit<SectionReader>> {
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
