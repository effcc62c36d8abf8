//! Names of kernel code: the kernel itself, its modules and BPF programs, from `/proc/kallsyms`.
//!
//! Source of the format: proc(5) and `kernel/kallsyms.c`: `address type name[\t[module]]`, a
//! module's name without extension, `bpf` for BPF programs; all addresses 0 where the reader may not see
//! them (`kernel.kptr_restrict`).

use std::io::{self, BufRead};
use std::sync::Arc;

use crate::line::{Line, Symbolized};
use crate::text_lines;

/// The kernel's own limit is 512 bytes for a name.
const MAX_LINE: usize = 1024;
/// A kernel with every driver built in has some 300,000.
const MAX_SYMBOLS: usize = 4 << 20;
const MAX_NAMES: usize = 256 << 20;
/// No function is larger; an address further from its symbol is not named.
const MAX_REACH: u64 = 4 << 20;
const NO_NAME: u32 = u32::MAX;
const UNNAMED: &str = "[kernel]";

/// A function of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelSymbol<'a> {
    pub name: &'a str,
    /// The module's name, `bpf` for a BPF program; none for the kernel itself.
    pub module: Option<&'a str>,
    /// Address of its first instruction.
    pub start: u64,
}

/// The code symbols of a running kernel, some 14 bytes and the name each.
#[derive(Debug, Default)]
pub struct KernelSymbols {
    starts: Vec<u64>,
    names: Vec<u32>,
    modules: Vec<u16>,
    text: String,
    module_names: Vec<Box<str>>,
    masked: bool,
}

/// One line, as long as the table is being built.
struct Entry {
    start: u64,
    name: u32,
    module: u16,
}

impl KernelSymbols {
    /// Reads the whole table. Lines that are not symbols are passed over.
    pub fn load(reader: impl BufRead) -> io::Result<Self> {
        let mut symbols = Self::default();
        let mut entries = Vec::new();
        let (mut lines, mut seen_address) = (0u64, false);
        text_lines::for_each(reader, MAX_LINE, |line| {
            let Some((start, kind, name, module)) = parse(line) else { return true };
            lines += 1;
            seen_address |= start != 0;
            if start != 0 {
                symbols.add(&mut entries, start, kind, (name, module));
            }
            entries.len() < MAX_SYMBOLS && symbols.text.len() < MAX_NAMES
        })?;
        symbols.masked = lines > 0 && !seen_address;
        // Of several names at one address the kernel itself shows the first in the table.
        entries.sort_by_key(|e| e.start);
        entries.dedup_by_key(|e| e.start);
        symbols.starts = entries.iter().map(|e| e.start).collect();
        symbols.names = entries.iter().map(|e| e.name).collect();
        symbols.modules = entries.iter().map(|e| e.module).collect();
        symbols.text.shrink_to_fit();
        Ok(symbols)
    }

    fn add(
        &mut self,
        entries: &mut Vec<Entry>,
        start: u64,
        kind: u8,
        (name, module): (&str, &str),
    ) {
        let code = matches!(kind, b't' | b'T' | b'w' | b'W');
        // What ends a range of code is kept as a boundary.
        let boundary = matches!(name, "_etext" | "_einittext" | "__init_end");
        if boundary {
            entries.push(Entry { start, name: NO_NAME, module: 0 });
        } else if code && let Some(module) = self.module(module) {
            let at = self.text.len() as u32;
            self.text.push_str(name);
            self.text.push('\n');
            entries.push(Entry { start, name: at, module });
        }
    }

    /// 1 + the index of the module's name; 0 is the kernel itself.
    fn module(&mut self, name: &str) -> Option<u16> {
        if name.is_empty() {
            return Some(0);
        }
        // Symbols of a module stand together.
        let index = match self.module_names.iter().rposition(|m| **m == *name) {
            Some(index) => index,
            None if self.module_names.len() < 4096 => {
                self.module_names.push(name.into());
                self.module_names.len() - 1
            }
            None => return None,
        };
        u16::try_from(index + 1).ok()
    }

    /// The function around a kernel address.
    pub fn lookup(&self, address: u64) -> Option<KernelSymbol<'_>> {
        let index = self.starts.partition_point(|&s| s <= address).checked_sub(1)?;
        let (start, name) = (self.starts[index], self.names[index]);
        if name == NO_NAME || address - start > MAX_REACH {
            return None;
        }
        let name = self.text.get(name as usize..)?.split('\n').next()?;
        let module = usize::from(self.modules[index]).checked_sub(1);
        let module = module.and_then(|m| self.module_names.get(m)).map(|m| &**m);
        Some(KernelSymbol { name, module, start })
    }

    /// The functions of a module, ascending.
    pub fn of_module(&self, module: &str) -> impl Iterator<Item = KernelSymbol<'_>> {
        let index = self.module_names.iter().position(|name| **name == *module);
        let number = index.and_then(|index| u16::try_from(index + 1).ok());
        let is_of = move |at: &usize| Some(self.modules[*at]) == number;
        (0..self.starts.len()).filter(is_of).filter_map(|at| self.lookup(self.starts[at]))
    }

    /// The function's name and its module as the file; `[kernel]` where there is no name, as for every
    /// address of a masked table.
    pub fn symbolize(&self, address: u64) -> Symbolized {
        let symbol = self.lookup(address);
        let name: Arc<str> = symbol.map_or(UNNAMED, |s| s.name).into();
        let file = symbol.and_then(|s| s.module).unwrap_or_default().into();
        let line = Line { function: Arc::clone(&name), system_name: name, file, line: 0 };
        Symbolized { lines: [line].into(), unnamed: symbol.is_none() }
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
            let got = symbols.lookup(address).map(|s| (s.name, s.module));
            assert_eq!(got, want, "{address:#x}");
        }
        assert!(!symbols.is_masked());
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
