//! Which unit describes an address: from `.debug_aranges`, and for units that it leaves out from
//! their root entry, or their functions when that has no range either.

use std::collections::HashSet;

use gimli::UnitHeader;

use super::functions;
use super::sections::Debug;
use crate::error::{Error, Result};
use crate::paged::SectionReader;

/// Ranges in one file: 24 bytes each. A browser has some 2 million.
const MAX_RANGES: usize = 4 << 20;

/// Stated addresses `start..end` described by the unit at `unit` of `.debug_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnitRange {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) unit: usize,
}

/// Overlaps beyond this many ranges are not looked for.
const OVERLAPS: usize = 64;

/// The unit for `svma`. Where ranges overlap, the nearest start wins, then the first unit.
pub(crate) fn find(ranges: &[UnitRange], svma: u64) -> Option<usize> {
    let after = ranges.partition_point(|r| r.start <= svma);
    let candidates = ranges[..after].iter().rev().take(OVERLAPS);
    let found = candidates
        .filter(|r| svma < r.end)
        .reduce(|best, r| if r.start == best.start { r } else { best });
    found.map(|r| r.unit)
}

/// All the ranges of a file, by start.
pub(crate) fn index(debug: &Debug) -> Result<Vec<UnitRange>> {
    let mut ranges = Vec::new();
    let covered = from_aranges(debug, &mut ranges)?;
    for &offset in debug.unit_offsets()?.iter() {
        if !covered.contains(&offset) {
            // An unreadable unit costs its own addresses only.
            let read = from_unit(debug, offset, &mut ranges);
            if debug.out_of_fuel() {
                return Err(Error::OverBudget("unit index"));
            }
            if let Err(e @ Error::OverBudget(_)) = read {
                return Err(e);
            }
        }
    }
    ranges.sort_unstable();
    ranges.dedup();
    Ok(ranges)
}

fn push(debug: &Debug, ranges: &mut Vec<UnitRange>, range: UnitRange) -> Result<()> {
    if range.start < debug.lowest_code || range.start >= range.end {
        return Ok(());
    }
    if ranges.len() >= MAX_RANGES {
        return Err(Error::OverBudget("unit ranges"));
    }
    ranges.push(range);
    Ok(())
}

/// Returns the units that `.debug_aranges` covers.
fn from_aranges(debug: &Debug, ranges: &mut Vec<UnitRange>) -> Result<HashSet<usize>> {
    let mut covered = HashSet::new();
    let mut headers = debug.dwarf.debug_aranges.headers();
    while let Ok(Some(header)) = headers.next() {
        let unit = header.debug_info_offset().0;
        let mut entries = header.entries();
        while let Ok(Some(entry)) = entries.next() {
            let (start, end) = (entry.address(), entry.range().end);
            push(debug, ranges, UnitRange { start, end, unit })?;
            covered.insert(unit);
        }
    }
    Ok(covered)
}

fn from_unit(debug: &Debug, offset: usize, ranges: &mut Vec<UnitRange>) -> Result<()> {
    let unit = debug.unit(offset)?;
    if !describes_code(&unit.header) {
        return Ok(());
    }
    let before = ranges.len();
    functions::for_each_root_range(debug, &unit, |start, end| {
        push(debug, ranges, UnitRange { start, end, unit: offset })
    })?;
    if ranges.len() == before {
        for function in functions::index(debug, &unit)? {
            let (start, end) = (function.start, function.end());
            push(debug, ranges, UnitRange { start, end, unit: offset })?;
        }
    }
    Ok(())
}

fn describes_code(header: &UnitHeader<SectionReader>) -> bool {
    matches!(header.type_(), gimli::UnitType::Compilation | gimli::UnitType::Skeleton(_))
}
