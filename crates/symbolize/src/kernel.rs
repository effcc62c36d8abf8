//! Names of kernel code: the kernel itself, its modules and BPF programs, from `/proc/kallsyms`.
//!
//! Source of the format: proc(5) and `kernel/kallsyms.c`: `address type name[\t[module]]`, a
//! module's name without extension, `bpf` for BPF programs; all addresses 0 where the reader may not see
//! them (`kernel.kptr_restrict`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use crate::line::{Line, Symbolized};
use crate::packed::{Packer, Pages};
use crate::text_lines;

/// The kernel's own limit is 512 bytes for a name.
const MAX_LINE: usize = 1024;
/// A kernel with every driver built in has some 300,000.
const MAX_SYMBOLS: usize = 4 << 20;
const MAX_NAMES: usize = 256 << 20;
/// No function is larger; an address further from its symbol is not named.
const MAX_REACH: u64 = 4 << 20;
/// Names that are compressed together.
const PAGE_NAMES: usize = 512;
/// Symbols that are at hand. A running kernel is seen in some 2,000 functions.
const AT_HAND: usize = 8192;
const UNNAMED: &str = "[kernel]";

/// A function of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelSymbol {
    pub name: Arc<str>,
    /// The module's name, `bpf` for a BPF program; none for the kernel itself.
    pub module: Option<Arc<str>>,
    /// Address of its first instruction.
    pub start: u64,
}

/// The code symbols of a running kernel, some 13 bytes each: few are ever asked for.
#[derive(Debug, Default)]
pub struct KernelSymbols {
    starts: Vec<u64>,
    /// For each a line, `name\tmodule`; an empty one for what only ends a range of code.
    lines: Pages,
    /// By index. `None` for what has no name.
    at_hand: RefCell<HashMap<usize, Option<KernelSymbol>>>,
    masked: bool,
}

/// One symbol, as long as the table is being built.
struct Entry {
    start: u64,
    /// Where its line begins.
    line: u32,
}

impl KernelSymbols {
    /// Reads the whole table. Lines that are not symbols are passed over.
    pub fn load(reader: impl BufRead) -> io::Result<Self> {
        let (mut text, mut entries) = (String::from("\n"), Vec::new());
        let (mut lines, mut seen_address) = (0u64, false);
        text_lines::for_each(reader, MAX_LINE, |line| {
            let Some((start, kind, name, module)) = parse(line) else { return true };
            lines += 1;
            seen_address |= start != 0;
            // What ends a range of code is kept as a boundary.
            if start != 0 && matches!(name, "_etext" | "_einittext" | "__init_end") {
                entries.push(Entry { start, line: 0 });
            } else if start != 0 && matches!(kind, b't' | b'T' | b'w' | b'W') {
                entries.push(Entry { start, line: text.len() as u32 });
                text.extend([name, "\t", module, "\n"]);
            }
            entries.len() < MAX_SYMBOLS && text.len() < MAX_NAMES
        })?;
        // Of several names at one address the kernel itself shows the first in the table.
        entries.sort_by_key(|e| e.start);
        entries.dedup_by_key(|e| e.start);
        Ok(Self {
            starts: entries.iter().map(|e| e.start).collect(),
            lines: pack(&text, &entries)?,
            at_hand: RefCell::default(),
            masked: lines > 0 && !seen_address,
        })
    }

    /// The function around a kernel address.
    pub fn lookup(&self, address: u64) -> Option<KernelSymbol> {
        let index = self.starts.partition_point(|&s| s <= address).checked_sub(1)?;
        if address - self.starts[index] > MAX_REACH {
            return None;
        }
        let mut at_hand = self.at_hand.borrow_mut();
        if let Some(known) = at_hand.get(&index) {
            return known.clone();
        }
        let page = self.page(index / PAGE_NAMES);
        let symbol = page.lines().nth(index % PAGE_NAMES).and_then(|line| self.symbol(index, line));
        if at_hand.len() >= AT_HAND {
            at_hand.clear();
        }
        at_hand.insert(index, symbol.clone());
        symbol
    }

    /// The functions of a module, ascending.
    pub fn of_module(&self, module: &str) -> Vec<KernelSymbol> {
        let mut found = Vec::new();
        for first in (0..self.starts.len()).step_by(PAGE_NAMES) {
            let page = self.page(first / PAGE_NAMES);
            let lines = page.lines().enumerate();
            let of_module = lines.filter(|(_, line)| {
                line.rsplit_once('\t').is_some_and(|(_, of)| !of.is_empty() && of == module)
            });
            found.extend(of_module.filter_map(|(at, line)| self.symbol(first + at, line)));
        }
        found
    }

    fn page(&self, page: usize) -> String {
        // We have compressed it ourselves.
        String::from_utf8(self.lines.get(page).unwrap_or_default()).unwrap_or_default()
    }

    fn symbol(&self, index: usize, line: &str) -> Option<KernelSymbol> {
        let (name, module) = line.split_once('\t')?;
        let module = (!module.is_empty()).then(|| module.into());
        Some(KernelSymbol { name: name.into(), module, start: *self.starts.get(index)? })
    }

    /// The function's name and its module as the file; `[kernel]` where there is no name, as for every
    /// address of a masked table.
    pub fn symbolize(&self, address: u64) -> Symbolized {
        let symbol = self.lookup(address);
        let unnamed = symbol.is_none();
        let (name, file) = match symbol {
            Some(symbol) => (symbol.name, symbol.module.unwrap_or_default()),
            None => (UNNAMED.into(), Arc::default()),
        };
        let line = Line { function: Arc::clone(&name), system_name: name, file, line: 0 };
        Symbolized { lines: [line].into(), unnamed }
    }

    /// Number of symbols.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Whether the kernel hid the addresses: every kernel frame is then `[kernel]`.
    pub fn is_masked(&self) -> bool {
        self.masked
    }
}

/// The lines of `entries`, in their order.
fn pack(text: &str, entries: &[Entry]) -> io::Result<Pages> {
    let (mut packer, mut page) = (Packer::new()?, String::new());
    for entries in entries.chunks(PAGE_NAMES) {
        page.clear();
        for entry in entries {
            let line = text.get(entry.line as usize..).and_then(|rest| rest.split('\n').next());
            page.push_str(line.unwrap_or_default());
            page.push('\n');
        }
        packer.add(page.as_bytes())?;
    }
    Ok(packer.finish())
}

/// (address, type, name, module or nothing)
fn parse(line: &[u8]) -> Option<(u64, u8, &str, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let address = words.next().filter(|w| w.len() <= 16)?;
    let start = u64::from_str_radix(address, 16).ok()?;
    let kind = words.next().filter(|k| k.len() == 1)?.as_bytes()[0];
    let name = words.next()?;
    let module = words.next().unwrap_or_default();
    Some((start, kind, name, module.trim_matches(['[', ']'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
ffffffff81000000 T _text\n\
ffffffff81000000 T startup_64\n\
ffffffff81000100 t local_one\n\
ffffffff81000180 D data_in_between\n\
ffffffff81000200 T second\n\
ffffffff81000300 T _etext\n\
not a line\n\
ffffffffc0000000 t module_init\t[ext4]\n\
ffffffffc0100000 t bpf_prog_6deef7357e7b4530_sched\t[bpf]\n";

    #[test]
    fn addresses_are_named_with_their_module() {
        let symbols = KernelSymbols::load(TABLE.as_bytes()).unwrap();
        let cases = [
            (0xffff_ffff_8100_0010, Some(("_text", None))),
            (0xffff_ffff_8100_01ff, Some(("local_one", None))),
            (0xffff_ffff_8100_02ff, Some(("second", None))),
            (0xffff_ffff_8100_0300, None),
            (0xffff_ffff_c000_0001, Some(("module_init", Some("ext4")))),
            (0xffff_ffff_c010_0001, Some(("bpf_prog_6deef7357e7b4530_sched", Some("bpf")))),
            (0xffff_ffff_ffff_ffff, None),
            (0x1000, None),
        ];
        for (address, want) in cases {
            for _ in 0..2 {
                let got = symbols.lookup(address);
                let got = got.as_ref().map(|s| (&*s.name, s.module.as_deref()));
                assert_eq!(got, want, "{address:#x}");
            }
        }
        let of = |module| symbols.of_module(module).iter().map(|s| s.start).collect::<Vec<_>>();
        assert_eq!((of("bpf"), of("")), (vec![0xffff_ffff_c010_0000], vec![]));
        assert!(!symbols.is_masked());
    }

    #[test]
    fn every_symbol_of_a_large_table_keeps_its_name() {
        let line = |n: u64| format!("{:x} t function_{n} [module_{}]\n", 0x1000 + n * 16, n / 1000);
        let table: String = (0..20_000).rev().map(line).collect();
        let symbols = KernelSymbols::load(table.as_bytes()).unwrap();
        // More than are at hand, and twice.
        for n in (0..20_000).chain(0..20_000) {
            let symbol = symbols.lookup(0x1000 + n * 16 + 5).unwrap();
            let module = format!("module_{}", n / 1000);
            assert_eq!(
                (&*symbol.name, symbol.module.as_deref()),
                (&*format!("function_{n}"), Some(&*module))
            );
        }
        assert_eq!(symbols.of_module("module_7").len(), 1000);
        assert!(symbols.lines.size() * 5 < table.len());
    }

    #[test]
    fn hidden_addresses_are_told_from_an_empty_table() {
        let mut masked = String::new();
        for (_, rest) in TABLE.lines().filter_map(|line| line.split_once(' ')) {
            masked.push_str("0000000000000000 ");
            masked.push_str(rest);
            masked.push('\n');
        }
        let symbols = KernelSymbols::load(masked.as_bytes()).unwrap();
        assert!(symbols.is_masked() && symbols.is_empty());
        let named = symbols.symbolize(0xffff_ffff_8100_0000);
        assert_eq!((&*named.lines[0].function, named.unnamed), ("[kernel]", true));
        assert!(!KernelSymbols::load(&b""[..]).unwrap().is_masked());
    }
}
