//! Go's own tables, which every Go binary carries, stripped or not: function, file, line and inlined
//! calls. Go 1.16 and later; inlined calls from 1.18.
//!
//! Source: `runtime/symtab.go`, `runtime/symtabinl.go`, `runtime/runtime2.go` (`_func`) and
//! `internal/abi/symtab.go` of Go 1.16 to 1.26.

mod moduledata;
mod pclntab;
mod search;

use std::rc::Rc;

use crate::elf::{Elf, Section};
use crate::error::Result;
use crate::paged::{Backing, Fuel, PageCache, SectionReader};
use pclntab::{Function, PcLnTab};
use search::Place;

/// Reads for one batch; a name costs a few hundred.
const READS: u64 = 256 << 20;
const PAGES: u64 = 2 << 20;
/// Inlined calls at one address; Go's inliner stays far below.
const MAX_DEPTH: usize = 256;

const PCDATA_INL_TREE_INDEX: u32 = 2;
const FUNCDATA_INL_TREE: u32 = 3;

/// A frame of a Go function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GoFrame {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// The frames at an address, innermost first, and the entry address of the function that holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GoFrames {
    pub(crate) entry: u64,
    pub(crate) frames: Vec<GoFrame>,
}

/// The tables of one Go binary, open for one batch.
pub(crate) struct GoTables {
    table: PcLnTab,
    inline_trees: Option<InlineTrees>,
}

/// `go:func.*`: where the inline trees are, and the layout of their nodes.
struct InlineTrees {
    bytes: SectionReader,
    node: NodeLayout,
}

/// Offsets in `runtime.inlinedCall`, in bytes.
#[derive(Debug, Clone, Copy)]
struct NodeLayout {
    size: u64,
    name: u64,
    parent_pc: u64,
}

const NODE_GO_1_18: NodeLayout = NodeLayout { size: 20, name: 12, parent_pc: 16 };
const NODE_GO_1_20: NodeLayout = NodeLayout { size: 16, name: 4, parent_pc: 8 };

/// By the section's name, of which position-independent executables have another.
fn place(elf: &Elf) -> Result<Option<Place>> {
    let sections = [".gopclntab", ".data.rel.ro.gopclntab"];
    let place = |s: &Section| Place { address: s.address, offset: s.offset, size: s.size };
    match sections.into_iter().find_map(|name| elf.section(name)) {
        Some(section) => Ok(Some(place(section))),
        None => search::find(elf),
    }
}

impl GoTables {
    /// The tables of `elf`, if it was built by Go.
    pub(crate) fn open(elf: &Elf) -> Result<Option<Self>> {
        let Some(place) = place(elf)? else { return Ok(None) };
        let (pages, fuel) = (PageCache::new(PAGES), Fuel::new(READS));
        let reader = |id, offset, len: u64| {
            let source = Rc::clone(elf.source());
            let backing = Backing::File { source, offset, pages: Rc::clone(&pages) };
            SectionReader::new(id, len as usize, backing, Rc::clone(&fuel))
        };
        let header = pclntab::Header::read(&reader(0, place.offset, place.size))?;
        let module = moduledata::find(elf, place.address, header.version)?;
        let text = module.text.or(header.text_start(elf));
        let table = PcLnTab::new(reader(0, place.offset, place.size), header, text)?;
        let inline_trees =
            module.funcdata.and_then(|svma| elf.file_offset(svma)).and_then(|(offset, len)| {
                let node = match table.version() {
                    pclntab::Version::Go116 => return None,
                    pclntab::Version::Go118 => NODE_GO_1_18,
                    pclntab::Version::Go120 => NODE_GO_1_20,
                };
                Some(InlineTrees { bytes: reader(1, offset, len), node })
            });
        Ok(Some(Self { table, inline_trees }))
    }

    /// The frames at `svma`; none when it is not Go code.
    pub(crate) fn frames(&self, svma: u64) -> Result<Option<GoFrames>> {
        let Some(function) = self.table.function(svma)? else { return Ok(None) };
        let mut frames = Vec::new();
        let mut pc = svma;
        while frames.len() < MAX_DEPTH {
            let Some((name, parent_pc)) = self.inlined(&function, pc)? else { break };
            frames.push(self.frame(&function, pc, name)?);
            pc = function.entry.wrapping_add_signed(i64::from(parent_pc));
        }
        let name = self.table.name(function.name)?;
        frames.push(self.frame(&function, pc, name)?);
        Ok(Some(GoFrames { entry: function.entry, frames }))
    }

    fn frame(&self, function: &Function, pc: u64, name: String) -> Result<GoFrame> {
        let (file, line) = self.table.position(function, pc)?;
        Ok(GoFrame { name, file, line })
    }

    /// The inlined function at `pc`, and where its call is, from the function's entry.
    fn inlined(&self, function: &Function, pc: u64) -> Result<Option<(String, i32)>> {
        let Some(trees) = &self.inline_trees else { return Ok(None) };
        let index = self.table.pcdata(function, PCDATA_INL_TREE_INDEX, pc)?;
        let tree = self.table.funcdata(function, FUNCDATA_INL_TREE)?;
        let (Some(index), Some(tree)) = (index.and_then(|i| u64::try_from(i).ok()), tree) else {
            return Ok(None);
        };
        let node = u64::from(tree) + index * trees.node.size;
        let name = pclntab::read_u32(&trees.bytes, node + trees.node.name)?;
        let parent_pc = pclntab::read_u32(&trees.bytes, node + trees.node.parent_pc)?;
        Ok(Some((self.table.name(name)?, parent_pc.cast_signed())))
    }
}
