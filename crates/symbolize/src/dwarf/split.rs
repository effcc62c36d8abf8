//! Split DWARF: the entries of a unit are in a file of their own (`.dwo`) or, with those of other units, in a package
//! (`.dwp`); what the linker had to see stays in the skeleton unit: addresses, ranges and lines.
//!
//! Anyone can put a file where one is looked for: it is believed if its unit has the id that the skeleton names.
//!
//! Sources: DWARF 5, sections 3.1.2, 3.1.3 and 7.3; GCC's extension to DWARF 4 (`DW_AT_GNU_dwo_name`).

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use gimli::{DwarfPackage, DwoId, Reader, Unit, UnitType};

use super::opener::Opener;
use super::sections::Debug;
use crate::elf::Elf;
use crate::error::{Error, Result};
use crate::paged::SectionReader;
use crate::split_file::SplitSearch;

/// Files that one batch opens. A batch of a large program meets some hundred units.
const MAX_FILES: usize = 4096;
/// What the search for a file costs, in reads.
const OPEN_READS: u64 = 1000;
/// What one section header costs, in reads.
const HEADER_READS: u64 = 4;
/// Units of one file that are compared with an id. Optimisation of a whole program puts all its units into one.
const MAX_UNITS: usize = 64 << 10;
/// Directory and name of a file; the system takes no longer paths.
const MAX_PATH: usize = 4096;

/// Files of split debug information that were found but not used.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SplitLosses {
    /// Of another build, or not readable as debug information.
    pub(crate) refused: u64,
    /// Units whose file was not looked for in all places, since too many had been opened.
    pub(crate) over_budget: u64,
}

/// The split units of one batch.
pub(crate) struct SplitUnits<'a, 'k> {
    opener: &'a mut Opener<'k>,
    search: SplitSearch<'a>,
    packages: Option<Rc<[DwarfPackage<SectionReader>]>>,
    opened: usize,
    pub(crate) losses: SplitLosses,
}

/// A unit with the entries that a skeleton stands for.
pub(super) struct SplitUnit {
    pub(super) id: DwoId,
    pub(super) debug: Debug,
    pub(super) unit: Rc<Unit<SectionReader>>,
}

impl<'a, 'k> SplitUnits<'a, 'k> {
    pub(crate) fn new(opener: &'a mut Opener<'k>, search: SplitSearch<'a>) -> Self {
        Self { opener, search, packages: None, opened: 0, losses: SplitLosses::default() }
    }

    /// The unit that `skeleton`, a unit of `debug`, stands for, if it is a skeleton and the other one is found.
    pub(super) fn of(
        &mut self,
        debug: &Debug,
        skeleton: &Unit<SectionReader>,
    ) -> Result<Option<SplitUnit>> {
        let Some(id) = skeleton.dwo_id else { return Ok(None) };
        let Some(name) = skeleton.dwo_name()? else { return Ok(None) };
        for package in self.packages()?.iter() {
            let found = package.find_cu(id, &debug.dwarf);
            let found = found.map_err(Error::from).and_then(|dwarf| {
                dwarf.map_or(Ok(None), |dwarf| with_id(debug.split(dwarf), id, skeleton))
            });
            if let Some(split) = self.believed(found.transpose()) {
                return Ok(Some(split));
            }
        }
        let name = debug.dwarf.attr_string(skeleton, name)?.to_slice()?.into_owned();
        let directory = match &skeleton.comp_dir {
            Some(directory) => directory.to_slice()?.into_owned(),
            None => Vec::new(),
        };
        if name.is_empty() || directory.len() + name.len() > MAX_PATH {
            return Ok(None);
        }
        let [directory, name] = [&directory, &name].map(|bytes| OsStr::from_bytes(bytes));
        for candidate in self.search.of_unit(directory, name) {
            if self.opened >= MAX_FILES {
                self.losses.over_budget += 1;
                return Ok(None);
            }
            self.opener.spend(OPEN_READS)?;
            let Ok(file) = self.search.open(&candidate) else { continue };
            self.opened += 1;
            let opened = self.elf(file).and_then(|elf| self.opener.open_split(&elf, debug));
            let found = opened.and_then(|dwo| with_id(dwo, id, skeleton));
            if let Some(split) = self.believed(Some(found.and_then(|s| s.ok_or(ANOTHER)))) {
                return Ok(Some(split));
            }
        }
        Ok(None)
    }

    /// Counts what was found and cannot be used.
    fn believed(&mut self, found: Option<Result<SplitUnit>>) -> Option<SplitUnit> {
        self.losses.refused += u64::from(matches!(found, Some(Err(_))));
        found.and_then(Result::ok)
    }

    /// The packages that there are, opened when the first skeleton is met.
    fn packages(&mut self) -> Result<Rc<[DwarfPackage<SectionReader>]>> {
        if let Some(packages) = &self.packages {
            return Ok(Rc::clone(packages));
        }
        let mut packages = Vec::new();
        for candidate in self.search.packages() {
            self.opener.spend(OPEN_READS)?;
            let Ok(file) = self.search.open(&candidate) else { continue };
            match self.elf(file).and_then(|elf| self.opener.open_package(&elf)) {
                Ok(package) => packages.push(package),
                Err(_) => self.losses.refused += 1,
            }
        }
        let packages: Rc<[_]> = packages.into();
        self.packages = Some(Rc::clone(&packages));
        Ok(packages)
    }

    /// Headers are read whole, and not through pages: they take the fuel that such reads would.
    fn elf(&self, file: File) -> Result<Elf> {
        let elf = Elf::parse(Rc::new(file))?;
        self.opener.spend(elf.sections().len() as u64 * HEADER_READS)?;
        Ok(elf)
    }
}

const ANOTHER: Error = Error::Malformed("split debug information: of another build");

/// The unit of `debug` with that id. What depends on where the linker put the code, it has from `skeleton`.
fn with_id(debug: Debug, id: DwoId, skeleton: &Unit<SectionReader>) -> Result<Option<SplitUnit>> {
    let mut headers = debug.dwarf.units();
    let mut left = MAX_UNITS;
    while let Some(header) = headers.next()? {
        left = left.checked_sub(1).ok_or(Error::OverBudget("split debug information"))?;
        let may_be = match header.type_() {
            UnitType::SplitCompilation(stated) => stated == id,
            // Before DWARF 5 the id is an attribute.
            UnitType::Compilation => true,
            _ => false,
        };
        if !may_be {
            continue;
        }
        let mut unit = debug.read_unit(header)?;
        if unit.dwo_id == Some(id) {
            unit.copy_relocated_attributes(skeleton);
            let unit = debug.hold(unit);
            return Ok(Some(SplitUnit { id, debug, unit }));
        }
    }
    Ok(None)
}
