//! Functions, inlined frames and lines from DWARF 2 to 5, for a batch of addresses.
//!
//! What is parsed is thrown away unit by unit; only the small [`DwarfIndex`] outlives a batch. Type
//! units are not read.

mod functions;
mod lines;
mod names;
mod opener;
mod sections;
mod split;
mod units;

use std::collections::HashMap;
use std::sync::Arc;

use gimli::{DwoId, Unit};

use crate::error::Result;
use crate::line::Frame;
use crate::paged::SectionReader;

use functions::FunctionRange;
use lines::Files;
pub(crate) use opener::{DebugBudget, Opener};
pub(crate) use sections::{Debug, Kept};
pub(crate) use split::{SplitLosses, SplitUnits};
use units::UnitRange;

/// What is kept of an image's debug information between batches: where units and functions are.
#[derive(Debug, Default)]
pub(crate) struct DwarfIndex {
    units: Option<Arc<[UnitRange]>>,
    functions: HashMap<Entries, Arc<[FunctionRange]>>,
    function_bytes: usize,
}

/// Where the entries of a unit are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Entries {
    /// At an offset in `.debug_info`.
    Here(usize),
    Split(DwoId),
}

/// Bytes of function ranges held at once, while a batch lasts.
const MAX_FUNCTION_BYTES: usize = 16 << 20;

impl DwarfIndex {
    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.function_bytes + self.units.as_ref().map_or(0, |units| size_of_val::<[_]>(units))
    }

    /// Gives up memory until at most `max_bytes` are held.
    pub(crate) fn shrink(&mut self, max_bytes: usize) {
        if self.size() > max_bytes {
            self.forget_functions();
        }
        if self.size() > max_bytes {
            self.units = None;
        }
    }

    fn forget_functions(&mut self) {
        self.functions = HashMap::new();
        self.function_bytes = 0;
    }

    /// The functions of `unit`.
    fn functions(
        &mut self,
        debug: &Debug,
        unit: &Unit<SectionReader>,
        entries: Entries,
    ) -> Result<Arc<[FunctionRange]>> {
        if let Some(functions) = self.functions.get(&entries) {
            return Ok(Arc::clone(functions));
        }
        let functions: Arc<[FunctionRange]> = functions::index(debug, unit)?.into();
        let bytes = size_of_val::<[_]>(&functions) + 64;
        if self.function_bytes + bytes > MAX_FUNCTION_BYTES {
            self.forget_functions();
        }
        self.function_bytes += bytes;
        self.functions.insert(entries, Arc::clone(&functions));
        Ok(functions)
    }
}

/// Frames, innermost first, by stated address.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    pub(crate) by_svma: HashMap<u64, Vec<Frame>>,
    /// The work was given up before all addresses were looked at.
    pub(crate) incomplete: bool,
    pub(crate) split_losses: SplitLosses,
}

/// The frames of each of `svmas` (ascending) that the debug information covers.
pub(crate) fn frames(
    debug: &Debug,
    splits: &mut SplitUnits<'_, '_>,
    index: &mut DwarfIndex,
    svmas: &[u64],
) -> Result<Frames> {
    let units = match &index.units {
        Some(units) => Arc::clone(units),
        None => Arc::clone(index.units.insert(units::index(debug)?.into())),
    };
    let mut per_unit: HashMap<usize, Vec<u64>> = HashMap::new();
    for &svma in svmas {
        if let Some(unit) = units::find(&units, svma) {
            per_unit.entry(unit).or_default().push(svma);
        }
    }
    let mut found = Frames::default();
    for (unit, svmas) in per_unit {
        // A unit that cannot be read costs its own addresses only.
        let read = unit_frames((debug, splits), index, unit, &svmas, &mut found.by_svma);
        if read.is_err() && debug.out_of_fuel() {
            found.incomplete = true;
            break;
        }
    }
    found.split_losses = splits.losses;
    Ok(found)
}

fn unit_frames(
    (debug, splits): (&Debug, &mut SplitUnits<'_, '_>),
    index: &mut DwarfIndex,
    offset: usize,
    svmas: &[u64],
    found: &mut HashMap<u64, Vec<Frame>>,
) -> Result<()> {
    let unit = debug.unit(offset)?;
    let split = splits.of(debug, &unit)?;
    // Lines are with the skeleton, functions and calls where the entries are.
    let (entries_debug, entries_unit, entries) = match &split {
        Some(split) => (&split.debug, &split.unit, Entries::Split(split.id)),
        None => (debug, &unit, Entries::Here(offset)),
    };
    let functions = index.functions(entries_debug, entries_unit, entries)?;
    let mut files = Files::new(debug, &unit);
    let positions = lines::find(debug, &unit, svmas)?;
    let mut per_function: HashMap<usize, Vec<u64>> = HashMap::new();
    for &svma in svmas {
        if let Some(function) = functions::find(&functions, svma) {
            per_function.entry(function).or_default().push(svma);
        }
    }
    let mut chains = HashMap::new();
    for (function, svmas) in per_function {
        functions::chains(entries_debug, entries_unit, function, &svmas, &mut chains)?;
    }
    for &svma in svmas {
        let chain = chains.remove(&svma).unwrap_or_default();
        let position = positions.get(&svma).copied();
        if chain.is_empty() && position.is_none() {
            continue;
        }
        found.insert(svma, assemble(chain, position, &mut files));
    }
    Ok(())
}

/// The line of a frame is where it is left: for the innermost one the line table's row, for the others
/// the call site that the next inner one records.
fn assemble(
    chain: Vec<functions::Instance>,
    position: Option<lines::Position>,
    files: &mut Files<'_>,
) -> Vec<Frame> {
    let mut left_at = position.unwrap_or_default();
    if chain.is_empty() {
        let file = files.path(left_at.file);
        return vec![Frame { file, line: left_at.line, ..Frame::default() }];
    }
    let frames = chain.into_iter().map(|instance| {
        let frame = Frame {
            system_name: instance.name,
            file: files.path(left_at.file),
            line: left_at.line,
            function: None,
        };
        left_at = instance.called_at;
        frame
    });
    frames.collect()
}
