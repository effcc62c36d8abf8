//! Where the symbols of a table start, in ascending order: what an image that is named again and again keeps, so that its table
//! is not read through each time. It gives the same symbols as the pass in [`symbols`](super::symbols).
//!
//! Twelve bytes a symbol: where it starts, its size, and its number in the table, which has the rest.

use std::ops::Range;

use super::symbols::{self, Symbol, SymbolTable, code_symbol};
use crate::error::{Error, Result};

/// Symbols of which the farthest end is known together.
const BLOCK: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    /// From [`SymbolIndex::base`].
    offset: u32,
    size: u32,
    number: u32,
}

impl Start {
    fn encloses(self, offset: u64) -> bool {
        let into = offset.checked_sub(self.offset.into());
        into.is_some_and(|into| into < u64::from(self.size))
    }
}

/// Of symbols that start at the same address, the largest, and of these the last: no other is ever chosen.
#[derive(Debug)]
pub(crate) struct SymbolIndex {
    base: u64,
    starts: Vec<Start>,
    /// The farthest end of each [`BLOCK`].
    ends: Vec<u64>,
}

impl SymbolIndex {
    /// `None` if the table is too long for `most` bytes, or it or a symbol of it spans 4 GiB.
    pub(crate) fn build(table: &SymbolTable<'_>, most: usize) -> Result<Option<Self>> {
        if table.count() > u64::from(u32::MAX) || Self::most_symbols(most) == 0 {
            return Ok(None);
        }
        let mut symbols = Vec::new();
        let mut is_too_long = false;
        table.for_each(|number, entry| {
            if let Some(symbol) = code_symbol(entry, 0)
                && !is_too_long
            {
                symbols.push((symbol.start, symbol.size, number as u32));
                is_too_long =
                    symbols.len() > Self::most_symbols(most) || symbol.size > u64::from(u32::MAX);
            }
        })?;
        symbols.sort_unstable();
        let (Some(first), Some(last)) = (symbols.first(), symbols.last()) else {
            return Ok(Some(Self { base: 0, starts: Vec::new(), ends: Vec::new() }));
        };
        let base = first.0;
        if is_too_long || last.0 - base > u64::from(u32::MAX) {
            return Ok(None);
        }
        // The last of those with the same start is the one that counts.
        symbols.reverse();
        symbols.dedup_by_key(|symbol| symbol.0);
        symbols.reverse();
        let start = |symbol: &(u64, u64, u32)| Start {
            offset: (symbol.0 - base) as u32,
            size: symbol.1 as u32,
            number: symbol.2,
        };
        let end = |block: &[(u64, u64, u32)]| {
            block.iter().map(|symbol| symbol.0.saturating_add(symbol.1)).max().unwrap_or_default()
        };
        let starts = symbols.iter().map(start).collect();
        let ends = symbols.chunks(BLOCK).map(end).collect();
        Ok(Some(Self { base, starts, ends }))
    }

    /// Those that are sorted are twice as large as what is kept of them.
    fn most_symbols(most: usize) -> usize {
        most / size_of::<Start>()
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.ends)
    }

    /// The symbol that names `svma`. An error if the table is not the one that this was made of.
    pub(crate) fn find(&self, table: &SymbolTable<'_>, svma: u64) -> Result<Option<Symbol>> {
        let Some(offset) = svma.checked_sub(self.base) else { return Ok(None) };
        let after = self.starts.partition_point(|start| u64::from(start.offset) <= offset);
        let Some(nearest) = after.checked_sub(1) else { return Ok(None) };
        let Some(start) = self.starts.get(nearest) else { return Ok(None) };
        if start.encloses(offset) || start.size == 0 {
            let symbol = self.symbol(table, *start)?;
            if start.size > 0 || table.same_section(&symbol, svma) {
                return Ok(Some(symbol));
            }
        }
        let enclosing = self.enclosing(nearest, svma);
        enclosing.map(|start| self.symbol(table, start)).transpose()
    }

    /// The last one before `before` that reaches beyond `svma`.
    fn enclosing(&self, before: usize, svma: u64) -> Option<Start> {
        let offset = svma - self.base;
        for block in (0..=before / BLOCK).rev() {
            if self.ends.get(block).is_none_or(|end| *end <= svma) {
                continue;
            }
            let starts = self.starts.get(block * BLOCK..before.min((block + 1) * BLOCK))?;
            let found = starts.iter().rev().find(|start| start.encloses(offset));
            if found.is_some() {
                return found.copied();
            }
        }
        None
    }

    /// The addresses that `symbol`, which has a size, names as the nearest one before them.
    fn extent(&self, symbol: &Symbol) -> Option<Range<u64>> {
        let offset = symbol.start.checked_sub(self.base)?;
        let at = self.starts.binary_search_by_key(&offset, |start| start.offset.into()).ok()?;
        if u64::from(self.starts.get(at)?.size) != symbol.size {
            return None;
        }
        let end = symbol.start.saturating_add(symbol.size);
        let next = self.starts.get(at + 1).map(|next| self.base + u64::from(next.offset));
        Some(symbol.start..next.map_or(end, |next| next.min(end)))
    }

    /// Whether no symbol starts in `range`, and none reaches into it.
    fn is_free(&self, range: &Range<u64>) -> bool {
        let up_to = |svma: u64| {
            self.starts.partition_point(|start| self.base + u64::from(start.offset) <= svma)
        };
        let before = up_to(range.start);
        before == up_to(range.end.saturating_sub(1))
            && (before == 0 || self.enclosing(before, range.start).is_none())
    }

    fn symbol(&self, table: &SymbolTable<'_>, start: Start) -> Result<Symbol> {
        let symbol = table.symbol(start.number)?;
        let expected = (self.base + u64::from(start.offset), u64::from(start.size));
        symbol
            .filter(|symbol| (symbol.start, symbol.size) == expected)
            .ok_or(Error::Malformed("symbol table: it has changed"))
    }
}

/// What is kept of an image's own table of symbols between batches.
#[derive(Debug, Default)]
pub(crate) enum KnownSymbols {
    #[default]
    Nothing,
    /// The table was read through once, which is no reason to keep anything of it.
    Read,
    Index(SymbolIndex),
    /// Its index would be.
    TooLong,
}

impl KnownSymbols {
    /// For each of `svmas` (ascending), the symbol of `tables` that names it. At most `most` bytes are kept.
    pub(crate) fn find(
        &mut self,
        tables: &[SymbolTable<'_>],
        svmas: &[u64],
        most: usize,
    ) -> Result<Vec<Option<Symbol>>> {
        let [table] = tables else { return symbols::find(tables, svmas) };
        match self {
            Self::Nothing => *self = Self::Read,
            Self::Read => {
                *self = SymbolIndex::build(table, most)?.map_or(Self::TooLong, Self::Index);
            }
            Self::Index(_) | Self::TooLong => {}
        }
        if let Self::Index(index) = self {
            let found: Result<_> = svmas.iter().map(|svma| index.find(table, *svma)).collect();
            if found.is_ok() {
                return found;
            }
            *self = Self::Nothing;
        }
        symbols::find(tables, svmas)
    }

    /// The addresses that `symbol`, of the own table and with a size, names as the nearest one before them. `None` where
    /// that is not known.
    pub(crate) fn extent(&self, symbol: &Symbol) -> Option<Range<u64>> {
        match self {
            Self::Index(index) => index.extent(symbol),
            Self::Nothing | Self::Read | Self::TooLong => None,
        }
    }

    /// Whether it is known that no symbol starts in `range`, and that none reaches into it.
    pub(crate) fn is_free(&self, range: &Range<u64>) -> bool {
        matches!(self, Self::Index(index) if index.is_free(range))
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Index(index) => index.size(),
            Self::Nothing | Self::Read | Self::TooLong => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use object::elf::{SHT_DYNSYM, SHT_SYMTAB};

    use super::*;
    use crate::elf::Elf;
    use crate::input::ReadAt;

    const CODE: u64 = 0x40_0000;

    /// A file that has a table of these symbols (start, size), and the section of code that they are in.
    fn file_of(symbols: &[(u64, u64)]) -> Vec<u8> {
        let table = 64u64;
        let strings = table + 24 * (symbols.len() as u64 + 1);
        let headers = strings + 8;
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend([3, 0, 62, 0, 1, 0, 0, 0]);
        file.extend([0, 0, headers].map(u64::to_le_bytes).as_flattened());
        file.extend([0, 0, 0, 0, 64, 0, 56, 0, 0, 0, 64, 0, 4, 0, 0, 0]);
        file.resize(table as usize + 24, 0);
        for (start, size) in symbols {
            file.extend([1, 0, 0, 0, 2, 0, 3, 0]);
            file.extend([*start, *size].map(u64::to_le_bytes).as_flattened());
        }
        file.extend(*b"\0symbol\0");
        let mut header = |kind: u32, address: u64, offset: u64, size: u64, link: u32| {
            file.extend([0, kind, 0, 0].map(u32::to_le_bytes).as_flattened());
            file.extend([address, offset, size].map(u64::to_le_bytes).as_flattened());
            file.extend([link, 0, 0, 0, 0, 0].map(u32::to_le_bytes).as_flattened());
        };
        header(0, 0, 0, 0, 0);
        header(SHT_SYMTAB, 0, table, strings - table, 2);
        header(3, 0, strings, 8, 0);
        header(1, CODE, 0, 0x1000, 0);
        file
    }

    fn elf_of(file: impl ReadAt + 'static) -> Elf {
        Elf::parse(Rc::new(file)).unwrap()
    }

    /// Whether the index says of all `svmas` (ascending) what the pass says.
    fn assert_same(table: &SymbolTable<'_>, svmas: &[u64]) {
        let index = SymbolIndex::build(table, usize::MAX).unwrap().unwrap();
        let found = symbols::find(std::slice::from_ref(table), svmas).unwrap();
        for (svma, passed) in svmas.iter().zip(found) {
            assert_eq!(index.find(table, *svma).unwrap(), passed, "{svma:#x}");
        }
    }

    #[test]
    fn symbols_that_overlap_and_such_without_size_are_chosen_as_in_a_pass() {
        let mut random = 7u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        for count in [1, 2, 33, 400] {
            let symbols: Vec<_> = (0..count)
                .map(|_| {
                    let size = [0, next(16), next(64), next(0x800)][next(4) as usize];
                    (CODE + next(0x1000), size)
                })
                .collect();
            let elf = elf_of(file_of(&symbols));
            let table = SymbolTable::of_kind(&elf, SHT_SYMTAB).unwrap();
            assert_same(&table, &(CODE - 2..CODE + 0x2000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn real_tables_are_as_in_a_pass() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let paths = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
        let mut paths: Vec<_> = paths.collect();
        paths.dedup();
        let mut tables = 0;
        for path in paths {
            let Ok(elf) = Elf::parse(Rc::new(std::fs::File::open(path).unwrap())) else { continue };
            for kind in [SHT_SYMTAB, SHT_DYNSYM] {
                let Some(table) = SymbolTable::of_kind(&elf, kind) else { continue };
                let mut svmas = Vec::new();
                let mut visit = |symbol: Symbol| {
                    let end = symbol.start.saturating_add(symbol.size);
                    svmas.extend([symbol.start, end, end.saturating_sub(1), end.saturating_add(9)]);
                };
                table
                    .for_each(|_, entry| {
                        if let Some(symbol) = code_symbol(entry, 0) {
                            visit(symbol);
                        }
                    })
                    .unwrap();
                svmas.sort_unstable();
                svmas.dedup();
                assert_same(&table, &svmas);
                tables += 1;
            }
        }
        assert!(tables >= 3, "of this program, and of the C library");
    }

    #[test]
    fn a_symbol_of_more_than_4_gib_is_left_to_the_pass() {
        let elf = elf_of(file_of(&[(CODE, 8), (CODE + 8, 1 << 32)]));
        let table = SymbolTable::of_kind(&elf, SHT_SYMTAB).unwrap();
        assert!(SymbolIndex::build(&table, usize::MAX).unwrap().is_none());
    }

    #[test]
    fn a_table_is_kept_at_its_second_batch_if_there_is_room_and_read_again_if_it_has_changed() {
        let file = file_of(&[(CODE, 8), (CODE + 8, 8)]);
        let elf = elf_of(file.clone());
        let tables = [SymbolTable::of_kind(&elf, SHT_SYMTAB).unwrap()];
        let svmas = [CODE + 1, CODE + 9];
        let starts = |known: &mut KnownSymbols, tables: &[SymbolTable<'_>], most| {
            let found = known.find(tables, &svmas, most).unwrap().into_iter();
            found.map(|symbol| symbol.map(|symbol| symbol.start - CODE)).collect::<Vec<_>>()
        };
        let mut known = KnownSymbols::default();
        for held in [0, 32, 32] {
            assert_eq!(starts(&mut known, &tables, 1000), [Some(0), Some(8)]);
            assert_eq!(known.size(), held);
        }
        let other = elf_of(file_of(&[(CODE + 1, 8), (CODE + 9, 8)]));
        let others = [SymbolTable::of_kind(&other, SHT_SYMTAB).unwrap()];
        assert_eq!(starts(&mut known, &others, 1000), [Some(1), Some(9)]);
        assert_eq!(known.size(), 0);
        let mut known = KnownSymbols::default();
        for _ in 0..3 {
            assert_eq!(starts(&mut known, &tables, 23), [Some(0), Some(8)]);
            assert_eq!(known.size(), 0);
        }
    }
}
