//! The functions of a unit, and the chain of inlined calls at an address.

use std::collections::HashMap;
use std::sync::Arc;

use gimli::{
    AttributeSpecification, AttributeValue, EntriesRaw, Unit, UnitOffset, constants as dw,
};

use super::lines::Position;
use super::names::{Origin, name};
use super::sections::Debug;
use crate::error::{Error, Result};
use crate::paged::SectionReader;

/// Ranges in one unit: 16 bytes each. The largest units seen have some 100,000.
const MAX_RANGES: usize = 1 << 20;
/// Frames at one address; deeper nesting is cut at its outer end.
const MAX_DEPTH: usize = 256;
/// Overlaps beyond this many ranges are not looked for.
const OVERLAPS: usize = 64;

/// Stated addresses of a concrete function, and its entry's offset in the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FunctionRange {
    pub(crate) start: u64,
    entry: u32,
    len: u32,
}

impl FunctionRange {
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(u64::from(self.len))
    }
}

/// A function at an address: the function itself, or an inlined copy and where it was called.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) called_at: Position,
    /// Counts the entries read, so that siblings and parents can be told apart.
    ordinal: usize,
}

/// The entry of the function around `svma`. Where functions overlap, the nearest start wins, then the
/// last entry, as for `llvm-symbolizer`.
pub(crate) fn find(functions: &[FunctionRange], svma: u64) -> Option<usize> {
    let after = functions.partition_point(|f| f.start <= svma);
    let found = functions[..after].iter().rev().take(OVERLAPS).find(|f| svma < f.end());
    found.map(|f| f.entry as usize)
}

/// All the functions of a unit that have code, by start.
pub(crate) fn index(debug: &Debug, unit: &Unit<SectionReader>) -> Result<Vec<FunctionRange>> {
    let mut functions = Vec::new();
    let mut entries = unit.entries_raw(None)?;
    while !entries.is_empty() {
        let offset = entries.next_offset();
        let Some(abbreviation) = entries.read_abbreviation()? else { continue };
        let attributes = abbreviation.attributes();
        debug.spend(attributes.len())?;
        if abbreviation.tag() != dw::DW_TAG_subprogram {
            entries.skip_attributes(attributes)?;
            continue;
        }
        let code = Attributes::read(&mut entries, attributes)?;
        let Ok(entry) = u32::try_from(offset.0) else { continue };
        code.for_each_range(debug, unit, |start, end| {
            if let Ok(len) = u32::try_from(end - start) {
                functions.push(FunctionRange { start, entry, len });
            }
            if functions.len() > MAX_RANGES {
                return Err(Error::OverBudget("function ranges"));
            }
            Ok(())
        })?;
    }
    functions.sort_unstable();
    Ok(functions)
}

/// Adds for each of `svmas` (ascending, all in the function at `entry`) the chain of instances,
/// innermost first.
pub(crate) fn chains(
    debug: &Debug,
    unit: &Unit<SectionReader>,
    entry: usize,
    svmas: &[u64],
    chains: &mut HashMap<u64, Vec<Instance>>,
) -> Result<()> {
    let mut builder = ChainBuilder {
        debug,
        unit,
        svmas,
        chains: vec![Vec::new(); svmas.len()],
        open: Vec::new(),
        entries_read: 0,
    };
    builder.read(entry)?;
    for (svma, mut chain) in svmas.iter().zip(builder.chains) {
        chain.reverse();
        chains.insert(*svma, chain);
    }
    Ok(())
}

/// Walks the entries below one function.
struct ChainBuilder<'a> {
    debug: &'a Debug,
    unit: &'a Unit<SectionReader>,
    svmas: &'a [u64],
    /// Outermost first, one for each address.
    chains: Vec<Vec<Instance>>,
    /// (depth, ordinal) of the instances whose children are being read.
    open: Vec<(isize, usize)>,
    entries_read: usize,
}

impl ChainBuilder<'_> {
    fn read(&mut self, entry: usize) -> Result<()> {
        let mut entries = self.unit.entries_raw(Some(UnitOffset(entry)))?;
        let top = entries.next_depth();
        // A nested function's entries describe its code, not ours.
        let mut nested: Option<isize> = None;
        while !entries.is_empty() {
            let depth = entries.next_depth();
            let Some(abbreviation) = entries.read_abbreviation()? else {
                if entries.next_depth() <= top {
                    break;
                }
                continue;
            };
            let (tag, attributes) = (abbreviation.tag(), abbreviation.attributes());
            self.debug.spend(attributes.len())?;
            self.entries_read += 1;
            nested = nested.filter(|limit| depth > *limit);
            if depth > top && tag == dw::DW_TAG_subprogram {
                nested = nested.or(Some(depth));
            }
            let function = depth == top;
            if function || nested.is_none() && tag == dw::DW_TAG_inlined_subroutine {
                let read = Attributes::read(&mut entries, attributes)?;
                let hits =
                    if function { (0..self.svmas.len()).collect() } else { self.hits(&read)? };
                self.place(&read, depth, &hits);
            } else {
                entries.skip_attributes(attributes)?;
            }
            if function && !abbreviation.has_children() {
                break;
            }
        }
        Ok(())
    }

    /// The indices of the addresses that an inlined call covers.
    fn hits(&self, read: &Attributes) -> Result<Vec<usize>> {
        let mut hits = Vec::new();
        read.for_each_range(self.debug, self.unit, |start, end| {
            let from = self.svmas.partition_point(|&a| a < start);
            let to = self.svmas.partition_point(|&a| a < end);
            self.debug.spend(to - from)?;
            hits.extend(from..to);
            Ok(())
        })?;
        Ok(hits)
    }

    /// Puts an instance on the chains of the addresses it covers, below the instances that enclose
    /// its entry; what else stands there is an overlapping sibling, and the last one counts.
    fn place(&mut self, read: &Attributes, depth: isize, hits: &[usize]) {
        while self.open.last().is_some_and(|(held, _)| *held >= depth) {
            self.open.pop();
        }
        let ordinal = self.entries_read;
        if !hits.is_empty() {
            let name = name(self.debug, self.unit, &read.origin);
            let instance = Instance { name, called_at: read.call, ordinal };
            for &hit in hits {
                let chain = &mut self.chains[hit];
                while chain.last().is_some_and(|i| !self.open.iter().any(|(_, o)| *o == i.ordinal))
                {
                    chain.pop();
                }
                if chain.len() < MAX_DEPTH {
                    chain.push(instance.clone());
                }
            }
        }
        if self.open.len() < MAX_DEPTH {
            self.open.push((depth, ordinal));
        }
    }
}

/// Visits the stated address ranges of the unit's root entry. `gimli::Dwarf::unit_ranges` adds without looking what a file
/// says of its first address and its length.
pub(super) fn for_each_root_range(
    debug: &Debug,
    unit: &Unit<SectionReader>,
    visit: impl FnMut(u64, u64) -> Result<()>,
) -> Result<()> {
    let mut entries = unit.entries_raw(None)?;
    let Some(abbreviation) = entries.read_abbreviation()? else { return Ok(()) };
    debug.spend(abbreviation.attributes().len())?;
    let root = Attributes::read(&mut entries, abbreviation.attributes())?;
    root.for_each_range(debug, unit, visit)
}

/// The attributes of a function or inlined call that matter here.
#[derive(Default)]
struct Attributes {
    low: Option<AttributeValue<SectionReader>>,
    high: Option<AttributeValue<SectionReader>>,
    ranges: Option<AttributeValue<SectionReader>>,
    origin: Origin,
    call: Position,
}

impl Attributes {
    fn read(
        entries: &mut EntriesRaw<'_, SectionReader>,
        specifications: &[AttributeSpecification],
    ) -> Result<Self> {
        let mut read = Self::default();
        for &specification in specifications {
            let attribute = entries.read_attribute(specification)?;
            let value = attribute.value();
            match attribute.name() {
                dw::DW_AT_low_pc => read.low = Some(value),
                dw::DW_AT_high_pc => read.high = Some(value),
                dw::DW_AT_ranges => read.ranges = Some(value),
                dw::DW_AT_call_file => {
                    read.call.file = match value {
                        AttributeValue::FileIndex(index) => index,
                        other => other.udata_value().unwrap_or(0),
                    };
                }
                dw::DW_AT_call_line => {
                    read.call.line = value.udata_value().unwrap_or(0) as u32;
                }
                name => read.origin.take(name, value),
            }
        }
        Ok(read)
    }

    /// Visits the stated address ranges, without empty and discarded ones.
    fn for_each_range(
        &self,
        debug: &Debug,
        unit: &Unit<SectionReader>,
        mut visit: impl FnMut(u64, u64) -> Result<()>,
    ) -> Result<()> {
        let mut checked = |start: u64, end: u64| {
            if start < debug.lowest_code || start >= end { Ok(()) } else { visit(start, end) }
        };
        if let Some(ranges) = &self.ranges
            && let Some(mut ranges) = debug.dwarf.attr_ranges(unit, ranges.clone())?
        {
            while let Some(range) = ranges.next()? {
                checked(range.begin, range.end)?;
            }
            return Ok(());
        }
        let (Some(low), Some(high)) = (&self.low, &self.high) else { return Ok(()) };
        let Some(low) = debug.dwarf.attr_address(unit, low.clone())? else { return Ok(()) };
        // DWARF 4, 2.17.2: of class constant, it is an offset from the low pc
        let high = match high.udata_value() {
            Some(len) => low.checked_add(len),
            None => debug.dwarf.attr_address(unit, high.clone())?,
        };
        high.map_or(Ok(()), |high| checked(low, high))
    }
}
