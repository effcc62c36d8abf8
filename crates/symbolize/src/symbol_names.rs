//! The symbol that names an address: of the image's own table, or of those beside it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use object::elf::{SHT_DYNSYM, SHT_SYMTAB};

use crate::elf::symbols::{self, Symbol, SymbolTable};
use crate::elf::{Elf, plt, reach};
use crate::resolve::Resolver;

/// A symbol's name for an address.
pub(crate) struct Named {
    pub(crate) name: Arc<str>,
    pub(crate) start: u64,
    /// From the table that goes before DWARF.
    pub(crate) own: bool,
    /// The addresses that the symbol tables name the same, as far as is known.
    pub(crate) extent: Option<Range<u64>>,
}

/// What the symbol tables say.
pub(crate) struct SymbolNames {
    pub(crate) by_svma: HashMap<u64, Named>,
    /// No other table than the image's own was asked.
    pub(crate) is_own_alone: bool,
}

/// Symbols by the addresses that they name.
type Found = HashMap<u64, Symbol>;

impl Resolver<'_> {
    /// The symbol that names each address, if any has.
    pub(crate) fn symbols(&mut self, separate: Option<&Elf>, svmas: &[u64]) -> SymbolNames {
        let full = SymbolTable::of_kind(self.binary, SHT_SYMTAB);
        let dynamic = SymbolTable::of_kind(self.binary, SHT_DYNSYM);
        let (own, beside) = if full.is_some() { (full, dynamic) } else { (dynamic, None) };
        let own: Vec<SymbolTable<'_>> = own.into_iter().collect();
        let found = self.memory.symbols.find(&own, svmas, self.symbol_bytes);
        let found = self.count(found).unwrap_or_default();
        let first_choice = self.those_that_reach(svmas, &found);
        // A symbol of the own table that has a size is not doubted.
        let is_sure = |svma: &u64| first_choice.get(svma).is_some_and(|symbol| symbol.size > 0);
        let unsure: Vec<u64> = svmas.iter().copied().filter(|svma| !is_sure(svma)).collect();
        let mini = if unsure.is_empty() { None } else { self.mini_debug() };
        let others = [separate, mini.as_ref()].into_iter().flatten();
        let others = others.filter_map(|elf| SymbolTable::of_kind(elf, SHT_SYMTAB)).chain(beside);
        let others: Vec<SymbolTable<'_>> = others.collect();
        let second_choice = self.second_choice(&others, &unsure);
        let plt = self.count(plt::names(self.binary, &unsure)).unwrap_or_default();
        // Addresses of one function are many.
        let mut read: HashMap<(bool, Symbol), Option<Arc<str>>> = HashMap::new();
        let mut text = |symbol: Symbol, tables: Tables<'_, '_>, own: bool| {
            let name = || tables.get(symbol.table)?.name(&symbol).ok().filter(|n| !n.is_empty());
            read.entry((own, symbol)).or_insert_with(|| name().map(Arc::from)).clone()
        };
        let name = |svma: &u64| {
            let first = first_choice.get(svma).copied();
            let stub = plt.get(svma).map(|name| Named::stub(name));
            let chosen = stub.or_else(|| {
                let second = second_choice.get(svma).copied();
                let (symbol, tables, own) = choose(first, second, (&own, &others))?;
                let is_sure = own && symbol.size > 0;
                let extent = is_sure.then(|| self.memory.symbols.extent(&symbol)).flatten();
                let extent = extent.filter(|extent| extent.contains(svma));
                Some(Named { name: text(symbol, tables, own)?, start: symbol.start, own, extent })
            });
            Some((*svma, chosen?))
        };
        let by_svma = svmas.iter().filter_map(name).collect();
        SymbolNames { by_svma, is_own_alone: others.is_empty() }
    }

    fn mini_debug(&mut self) -> Option<Elf> {
        let mini = self.binary.mini_debug(self.transient_bytes / 4);
        self.count(mini).flatten()
    }

    fn second_choice(&mut self, tables: &[SymbolTable<'_>], svmas: &[u64]) -> Found {
        if svmas.is_empty() {
            return Found::new();
        }
        let found = self.count(symbols::find(tables, svmas)).unwrap_or_default();
        self.those_that_reach(svmas, &found)
    }

    /// Without those that have no size, where their functions have ended before the address.
    fn those_that_reach(&mut self, svmas: &[u64], found: &[Option<Symbol>]) -> Found {
        let named = svmas.iter().zip(found);
        let named: Vec<(u64, Symbol)> =
            named.filter_map(|(svma, symbol)| Some((*svma, (*symbol)?))).collect();
        let beyond = self.count(reach::beyond(self.binary, &named)).unwrap_or_default();
        named.into_iter().filter(|(svma, _)| beyond.get(svma) != Some(&true)).collect()
    }
}

type Tables<'a, 'e> = &'a [SymbolTable<'e>];

/// The binary's own symbol, unless it has no size and another table has one that starts later.
fn choose<'a, 'e>(
    own: Option<Symbol>,
    other: Option<Symbol>,
    (own_tables, other_tables): (Tables<'a, 'e>, Tables<'a, 'e>),
) -> Option<(Symbol, Tables<'a, 'e>, bool)> {
    match (own, other) {
        (Some(own), Some(other)) if own.size == 0 && other.start > own.start => {
            Some((other, other_tables, false))
        }
        (Some(own), _) => Some((own, own_tables, true)),
        (None, other) => other.map(|other| (other, other_tables, false)),
    }
}

impl Named {
    fn stub(name: &str) -> Self {
        Self { name: name.into(), start: 0, own: true, extent: None }
    }
}
