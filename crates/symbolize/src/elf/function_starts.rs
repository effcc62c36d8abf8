//! Where functions start that nothing names: stripping takes their symbols, but not the call frame information, which has
//! an entry for each (LSB Core 5.0, "Exception Frames").

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use gimli::{BaseAddresses, CieOrFde, EhFrame, FrameDescriptionEntry, Reader, UnwindSection};

use super::section::Contents;
use super::{Elf, Section};
use crate::error::{Error, Result};
use crate::paged::{Backing, Fuel, PageCache, SectionReader};

/// File pages held while a batch lasts, in bytes.
const PAGE_BYTES: u64 = 4 << 20;
/// Reads of one batch, about a tenth of a second of work. A search takes some sixty; where there is no search table, all
/// entries are gone through, with some ten each.
const READS: u64 = 8 << 20;
/// Common entries kept while all are gone through. Linkers leave a handful.
const COMMON_KEPT: usize = 64;
/// The search table as linkers write it: version 1, the number of entries as `udata4`, and the entries as `datarel sdata4`.
const SORTED: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
const SORTED_ENTRY: usize = 8;

type Entry = FrameDescriptionEntry<SectionReader>;

/// Address → the code around it that one entry describes: a function or a part of one.
pub(crate) type Described = HashMap<u64, Range<u64>>;

/// The code that one entry of `.eh_frame` describes, for those of `svmas` (ascending) that lie in such code.
pub(crate) fn find(elf: &Elf, svmas: &[u64]) -> Result<Described> {
    let mut starts = Described::new();
    if svmas.is_empty() {
        return Ok(starts);
    }
    let Some(frames) = Frames::open(elf)? else { return Ok(starts) };
    let Some(table) = frames.sorted() else {
        frames.go_through(svmas, &mut starts);
        return Ok(starts);
    };
    for &svma in svmas {
        // A damaged entry is of no use to its own addresses; the others may be good.
        if let Ok(Some(entry)) = frames.search(&table, svma) {
            offer(&entry, &[svma], &mut starts);
        }
    }
    Ok(starts)
}

fn offer(entry: &Entry, svmas: &[u64], starts: &mut Described) {
    let code = entry.initial_address()..entry.end_address();
    let first = svmas.partition_point(|&svma| svma < entry.initial_address());
    for &svma in svmas[first..].iter().take_while(|svma| entry.contains(**svma)) {
        starts.insert(svma, code.clone());
    }
}

/// The call frame information of a file, and the table to search it by, if there is one.
struct Frames {
    entries: EhFrame<SectionReader>,
    bases: BaseAddresses,
    address: u64,
    header: Option<(SectionReader, u64)>,
}

/// Pairs of the address of code and that of its entry, ascending, relative to `base`.
struct SortedTable {
    pairs: SectionReader,
    base: u64,
}

impl Frames {
    fn open(elf: &Elf) -> Result<Option<Self>> {
        let Some(section) = elf.section(".eh_frame") else { return Ok(None) };
        let (pages, fuel) = (PageCache::new(PAGE_BYTES), Fuel::new(READS));
        let entries = EhFrame::from(reader(elf, section, 0, &pages, &fuel)?);
        let header = elf
            .section(".eh_frame_hdr")
            .map(|header| Ok::<_, Error>((reader(elf, header, 1, &pages, &fuel)?, header.address)));
        let bases = BaseAddresses::default().set_eh_frame(section.address);
        Ok(Some(Self { entries, bases, address: section.address, header: header.transpose()? }))
    }

    fn sorted(&self) -> Option<SortedTable> {
        let (mut header, base) = self.header.clone()?;
        let mut encodings = [0; SORTED.len()];
        header.read_slice(&mut encodings).ok()?;
        header.skip(4).ok()?;
        let count = header.read_u32().ok()? as usize;
        let held = header.len() / SORTED_ENTRY;
        (encodings == SORTED && count <= held).then_some(())?;
        header.truncate(count * SORTED_ENTRY).ok()?;
        Some(SortedTable { pairs: header, base })
    }

    /// The last entry whose code starts at or before `svma`.
    fn search(&self, table: &SortedTable, svma: u64) -> gimli::Result<Option<Entry>> {
        let (mut low, mut high) = (0, table.pairs.len() / SORTED_ENTRY);
        while low < high {
            let middle = low.midpoint(high);
            if table.pair(middle)?.0 <= svma { low = middle + 1 } else { high = middle }
        }
        let Some(found) = low.checked_sub(1) else { return Ok(None) };
        let (_, entry) = table.pair(found)?;
        let Some(offset) = entry.checked_sub(self.address) else { return Ok(None) };
        let get_common = EhFrame::cie_from_offset;
        self.entries.fde_from_offset(&self.bases, (offset as usize).into(), get_common).map(Some)
    }

    /// Goes through all entries up to the first damaged one.
    fn go_through(&self, svmas: &[u64], starts: &mut Described) {
        let common = RefCell::new(HashMap::new());
        let get_common = |frames: &EhFrame<SectionReader>, bases: &BaseAddresses, offset| {
            if let Some(known) = common.borrow().get(&offset) {
                return Ok(Clone::clone(known));
            }
            let entry = frames.cie_from_offset(bases, offset)?;
            if common.borrow().len() < COMMON_KEPT {
                common.borrow_mut().insert(offset, entry.clone());
            }
            Ok(entry)
        };
        let mut entries = self.entries.entries(&self.bases);
        while let Ok(Some(entry)) = entries.next() {
            if let CieOrFde::Fde(partial) = entry {
                let Ok(entry) = partial.parse(get_common) else { return };
                offer(&entry, svmas, starts);
            }
        }
    }
}

impl SortedTable {
    /// The address of the code and that of the entry.
    fn pair(&self, index: usize) -> gimli::Result<(u64, u64)> {
        let mut pairs = self.pairs.clone();
        pairs.skip(index * SORTED_ENTRY)?;
        let code = pairs.read_i32()?;
        let entry = pairs.read_i32()?;
        let address = |relative: i32| self.base.wrapping_add_signed(relative.into());
        Ok((address(code), address(entry)))
    }
}

fn reader(
    elf: &Elf,
    section: &Section,
    id: u32,
    pages: &Rc<RefCell<PageCache>>,
    fuel: &Rc<Fuel>,
) -> Result<SectionReader> {
    let Contents::InFile { offset, size } = elf.contents(section, 0)? else {
        return Err(Error::Unsupported("compressed call frame information"));
    };
    let backing =
        Backing::File { source: Rc::clone(elf.source()), offset, pages: Rc::clone(pages) };
    Ok(SectionReader::new(id, size as usize, backing, Rc::clone(fuel)))
}
