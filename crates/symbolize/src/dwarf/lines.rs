//! Line table rows for addresses, and the paths of files.

use std::collections::HashMap;
use std::sync::Arc;

use gimli::{
    AttributeValue, DebugLineOffset, IncompleteLineProgram, LineProgramHeader, LittleEndian,
    Reader, Section, Unit,
};

use super::sections::Debug;
use crate::error::Result;
use crate::paged::{MAX_STRING, SectionReader};

/// A file, by its index in the unit's line table, and a line from 1; 0 is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) file: u64,
    pub(crate) line: u32,
}

/// Runs the unit's line program for `svmas` (ascending). A row holds from its address to the next
/// row's; of several rows at one address the last one counts.
pub(crate) fn find(
    debug: &Debug,
    unit: &Unit<SectionReader>,
    svmas: &[u64],
) -> Result<HashMap<u64, Position>> {
    let Some(program) = unit.line_program.clone() else { return Ok(HashMap::new()) };
    let Some(bytes) = in_one_piece(debug, program.header())? else {
        return run(debug, program, svmas);
    };
    let section = gimli::DebugLine::new(&bytes, LittleEndian);
    let address_size = program.header().address_size();
    run(debug, section.program(DebugLineOffset(0), address_size, None, None)?, svmas)
}

/// A line program with its header. Most of the work for an address is to run it, and from a slice it runs several times as fast
/// as from pages. `None`: it is larger than what is copied.
fn in_one_piece(
    debug: &Debug,
    header: &LineProgramHeader<SectionReader>,
) -> Result<Option<Vec<u8>>> {
    let mut section = debug.dwarf.debug_line.reader().clone();
    section.skip(header.offset().0)?;
    let length = header.unit_length() + usize::from(header.format().initial_length_size());
    if length > MAX_STRING {
        return Ok(None);
    }
    section.truncate(length)?;
    // An instruction is a byte at least.
    debug.spend(length)?;
    Ok(Some(section.to_slice()?.into_owned()))
}

fn run<R: Reader<Offset = usize>>(
    debug: &Debug,
    program: IncompleteLineProgram<R>,
    svmas: &[u64],
) -> Result<HashMap<u64, Position>> {
    let mut found = HashMap::new();
    let mut rows = program.rows();
    let mut previous: Option<(u64, Position)> = None;
    while let Some((_, row)) = rows.next_row()? {
        if let Some((start, position)) = previous
            && start < row.address()
        {
            let from = svmas.partition_point(|&a| a < start);
            for &svma in svmas[from..].iter().take_while(|a| **a < row.address()) {
                debug.spend(1)?;
                found.insert(svma, position);
            }
        }
        let line = row.line().map_or(0, |line| line.get() as u32);
        let position = Position { file: row.file_index(), line };
        previous = (!row.end_sequence()).then_some((row.address(), position));
    }
    Ok(found)
}

/// The paths of one unit's files, each built once.
pub(crate) struct Files<'a> {
    debug: &'a Debug,
    unit: &'a Unit<SectionReader>,
    paths: HashMap<u64, Option<Arc<str>>>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(debug: &'a Debug, unit: &'a Unit<SectionReader>) -> Self {
        Self { debug, unit, paths: HashMap::new() }
    }

    pub(crate) fn path(&mut self, index: u64) -> Option<Arc<str>> {
        if let Some(path) = self.paths.get(&index) {
            return path.clone();
        }
        let path = self.build(index).map(Arc::from);
        self.paths.insert(index, path.clone());
        path
    }

    /// `path = compilation directory / include directory / file`, from the last absolute part on.
    fn build(&self, index: u64) -> Option<String> {
        let header = self.unit.line_program.as_ref()?.header();
        if index == 0 && header.version() < 5 {
            return None;
        }
        let file = header.file(index)?;
        let mut path = self.unit.comp_dir.as_ref().and_then(text).unwrap_or_default();
        // Directory 0 is the compilation directory; before DWARF 5 it is not in the table.
        if file.directory_index() != 0 || header.version() >= 5 {
            let directory = file.directory(header);
            append(&mut path, &directory.and_then(|d| self.string(d)).unwrap_or_default());
        }
        append(&mut path, &self.string(file.path_name())?);
        Some(path)
    }

    fn string(&self, value: AttributeValue<SectionReader>) -> Option<String> {
        text(&self.debug.dwarf.attr_string(self.unit, value).ok()?)
    }
}

fn text(reader: &SectionReader) -> Option<String> {
    Some(reader.to_string_lossy().ok()?.into_owned())
}

fn append(path: &mut String, part: &str) {
    if part.starts_with('/') {
        path.clear();
    } else if !path.is_empty() && !path.ends_with('/') && !part.is_empty() {
        path.push('/');
    }
    path.push_str(part);
}
