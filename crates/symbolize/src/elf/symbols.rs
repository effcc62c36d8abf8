//! Symbol tables, searched in one streaming pass for a batch of addresses. The largest tables in
//! use (a compiler, a JVM) are a few MiB, which a pass reads from the page cache in milliseconds. For an
//! image that is named again and again, [`symbol_index`](super::symbol_index) keeps the order of its own.
//!
//! The choice among symbols is that of `llvm-symbolizer` 14: the nearest start at or before the
//! address, of these the largest, of these the last in the table (locals come first in a table, so
//! this prefers what is global). Beyond it, an address past the end of its nearest symbol is given to
//! a symbol that does enclose it.

use object::LittleEndian as LE;
use object::elf::{self, Sym64};
use object::pod;

use super::{Elf, Section};
use crate::error::{Error, Result};
use crate::input::read_exact_at;

const CHUNK_SYMBOLS: usize = 4096;
const SYMBOL_SIZE: u64 = size_of::<Sym64<LE>>() as u64;
/// Names longer than this are cut; the longest seen in practice are template names of a few KiB.
const MAX_NAME: usize = 16 << 10;
/// Bound on enclosing matches, which only overlapping symbols multiply.
const MAX_ENCLOSING: u64 = 16 << 20;

/// One table with its strings.
pub(crate) struct SymbolTable<'a> {
    elf: &'a Elf,
    symbols: Section,
    strings: Section,
}

/// The symbol that names an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Symbol {
    pub(crate) start: u64,
    /// 0 means that it extends to the next symbol.
    pub(crate) size: u64,
    /// Index of the table in the list given to [`find`].
    pub(crate) table: usize,
    section: u32,
    name: u32,
}

impl Symbol {
    pub(super) fn encloses(&self, svma: u64) -> bool {
        svma >= self.start && svma - self.start < self.size
    }

    /// Whether `other`, met later in the tables, is to replace this one.
    fn yields_to(&self, other: &Self) -> bool {
        (other.start, other.size) >= (self.start, self.size)
    }
}

impl<'a> SymbolTable<'a> {
    /// The table of kind `SHT_SYMTAB` or `SHT_DYNSYM`, if it has any symbol.
    pub(crate) fn of_kind(elf: &'a Elf, kind: u32) -> Option<Self> {
        let symbols = *elf.section_of_kind(kind)?;
        let strings = *elf.section_at(symbols.link)?;
        // the first entry of a table is the undefined symbol
        (symbols.size > SYMBOL_SIZE && strings.has_bytes()).then_some(Self {
            elf,
            symbols,
            strings,
        })
    }

    /// The name of a symbol that [`find`] took from this table.
    pub(crate) fn name(&self, symbol: &Symbol) -> Result<String> {
        string_at(self.elf, &self.strings, symbol.name)
    }

    /// Entries of the table.
    pub(super) fn count(&self) -> u64 {
        self.symbols.size / SYMBOL_SIZE
    }

    /// The symbol of that number, if it is one that names code.
    pub(super) fn symbol(&self, number: u32) -> Result<Option<Symbol>> {
        let at = u64::from(number) * SYMBOL_SIZE;
        if u64::from(number) >= self.count() {
            return Ok(None);
        }
        let mut bytes = [0; SYMBOL_SIZE as usize];
        read_exact_at(&**self.elf.source(), &mut bytes, self.offset(at)?)?;
        let (entry, _) =
            pod::from_bytes::<Sym64<LE>>(&bytes).map_err(|()| Error::Malformed("symbol table"))?;
        Ok(code_symbol(entry, 0))
    }

    /// Where in the file the byte `at` of the table is.
    fn offset(&self, at: u64) -> Result<u64> {
        at.checked_add(self.symbols.offset).ok_or(Error::Malformed("symbol table offset"))
    }

    /// Calls `visit` with each entry in order, and its number.
    pub(super) fn for_each(&self, mut visit: impl FnMut(u64, &Sym64<LE>)) -> Result<()> {
        let count = self.count();
        let mut buffer = vec![0; CHUNK_SYMBOLS * SYMBOL_SIZE as usize];
        let mut index = 0;
        while index < count {
            let n = (count - index).min(CHUNK_SYMBOLS as u64);
            let at = self.offset(index * SYMBOL_SIZE)?;
            let chunk = &mut buffer[..(n * SYMBOL_SIZE) as usize];
            read_exact_at(&**self.elf.source(), chunk, at)?;
            let (symbols, _) = pod::slice_from_bytes::<Sym64<LE>>(chunk, n as usize)
                .map_err(|()| Error::Malformed("symbol table"))?;
            (index..).zip(symbols).for_each(|(number, symbol)| visit(number, symbol));
            index += n;
        }
        Ok(())
    }

    /// A size 0 symbol does not reach out of its section.
    pub(super) fn same_section(&self, symbol: &Symbol, svma: u64) -> bool {
        self.elf.section_of_symbol(symbol.section).is_none_or(|s| s.contains(svma))
    }
}

/// Reads the NUL-terminated string at `offset` of a string table.
pub(crate) fn string_at(elf: &Elf, strings: &Section, offset: u32) -> Result<String> {
    let room =
        strings.size.checked_sub(u64::from(offset)).ok_or(Error::Malformed("string offset"))?;
    let at =
        strings.offset.checked_add(u64::from(offset)).ok_or(Error::Malformed("string offset"))?;
    let mut name = Vec::new();
    let mut piece = [0; 256];
    while name.len() < MAX_NAME && (name.len() as u64) < room {
        let want = piece.len().min((room - name.len() as u64) as usize);
        let got = elf.source().read_at(&mut piece[..want], at + name.len() as u64)?;
        let text = piece[..got].split(|&b| b == 0).next().unwrap_or_default();
        name.extend_from_slice(text);
        if text.len() < want {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&name).into_owned())
}

/// For each of `svmas` (ascending), the symbol of `tables` that names it.
pub(crate) fn find(tables: &[SymbolTable<'_>], svmas: &[u64]) -> Result<Vec<Option<Symbol>>> {
    let mut search = Search::new(svmas);
    for (index, table) in tables.iter().enumerate() {
        table.for_each(|_, entry| {
            if let Some(symbol) = code_symbol(entry, index) {
                search.offer(symbol);
            }
        })?;
    }
    Ok(search.finish(|symbol, svma| tables[symbol.table].same_section(symbol, svma)))
}

/// Of the table of that index in the list given to [`find`].
pub(super) fn code_symbol(entry: &Sym64<LE>, table: usize) -> Option<Symbol> {
    let kind = entry.st_info & 0xf;
    let named_kind =
        matches!(kind, elf::STT_NOTYPE | elf::STT_FUNC | elf::STT_OBJECT | elf::STT_GNU_IFUNC);
    let section = entry.st_shndx.get(LE);
    let in_section = section != elf::SHN_UNDEF && section < elf::SHN_LORESERVE;
    let name = entry.st_name.get(LE);
    (named_kind && (in_section || section == elf::SHN_XINDEX) && name != 0).then(|| Symbol {
        start: entry.st_value.get(LE),
        size: entry.st_size.get(LE),
        table,
        section: if in_section { u32::from(section) } else { u32::MAX },
        name,
    })
}

/// For every address two candidates: the symbol with the nearest start, held in the slot of the
/// first address at or after that start until [`Search::finish`] carries it on; and the nearest one
/// that encloses the address.
struct Search<'a> {
    svmas: &'a [u64],
    nearest: Vec<Option<Symbol>>,
    enclosing: Vec<Option<Symbol>>,
    enclosing_left: u64,
}

impl<'a> Search<'a> {
    fn new(svmas: &'a [u64]) -> Self {
        let none = vec![None; svmas.len()];
        Self { svmas, nearest: none.clone(), enclosing: none, enclosing_left: MAX_ENCLOSING }
    }

    fn offer(&mut self, symbol: Symbol) {
        let first = self.svmas.partition_point(|&a| a < symbol.start);
        let Some(slot) = self.nearest.get_mut(first) else { return };
        replace(slot, symbol);
        for i in first..self.svmas.len() {
            if !symbol.encloses(self.svmas[i]) || self.enclosing_left == 0 {
                return;
            }
            self.enclosing_left -= 1;
            replace(&mut self.enclosing[i], symbol);
        }
    }

    fn finish(self, reaches: impl Fn(&Symbol, u64) -> bool) -> Vec<Option<Symbol>> {
        let mut carried: Option<Symbol> = None;
        let candidates = self.nearest.into_iter().zip(self.enclosing);
        let named = self.svmas.iter().zip(candidates).map(|(&svma, (nearest, enclosing))| {
            carried = nearest.or(carried);
            carried.filter(|s| s.encloses(svma) || s.size == 0 && reaches(s, svma)).or(enclosing)
        });
        named.collect()
    }
}

fn replace(slot: &mut Option<Symbol>, symbol: Symbol) {
    if slot.as_ref().is_none_or(|held| held.yields_to(&symbol)) {
        *slot = Some(symbol);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(start: u64, size: u64, name: u32) -> Symbol {
        Symbol { start, size, table: 0, section: 0, name }
    }

    #[test]
    fn the_nearest_then_largest_then_last_symbol_names_an_address() {
        let symbols = [
            symbol(0x100, 0x10, 1),
            symbol(0x100, 0x20, 2),
            symbol(0x100, 0x20, 3),
            symbol(0x140, 0, 4),
            symbol(0x200, 0x100, 5),
            symbol(0x220, 0x10, 6),
        ];
        let cases: [(u64, Option<u32>); 10] = [
            (0xff, None),
            (0x100, Some(3)),
            (0x11f, Some(3)),
            (0x120, None),
            (0x140, Some(4)),
            (0x1ff, Some(4)),
            (0x220, Some(6)),
            (0x230, Some(5)),
            (0x2ff, Some(5)),
            (0x300, None),
        ];
        let svmas: Vec<u64> = cases.iter().map(|c| c.0).collect();
        let mut search = Search::new(&svmas);
        for symbol in symbols {
            search.offer(symbol);
        }
        let got: Vec<Option<u32>> =
            search.finish(|_, _| true).into_iter().map(|s| s.map(|s| s.name)).collect();
        assert_eq!(got, cases.map(|c| c.1));
    }

    #[test]
    fn a_symbol_without_size_stays_in_its_section() {
        let svmas = [0x10, 0x20];
        let mut search = Search::new(&svmas);
        search.offer(symbol(0x10, 0, 1));
        let got = search.finish(|_, svma| svma < 0x20);
        assert!(got[0].is_some() && got[1].is_none());
    }
}
