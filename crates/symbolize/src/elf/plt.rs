//! Names of PLT stubs: `name@plt`. A stub is known by the GOT slot that its code jumps through, and
//! the slot by the relocation that fills it; so the layout of the section (`.plt`, `.plt.sec`,
//! `.plt.got`, with or without IBT) does not matter.
//!
//! Encodings: Intel SDM vol. 2, `JMP r/m64` (FF /4, RIP-relative); Arm ARM, `ADRP` and `LDR`.

use std::collections::{HashMap, HashSet};

use object::LittleEndian as LE;
use object::elf::Sym64;
use object::pod;

use super::symbols::string_at;
use super::{Elf, Machine, Section};
use crate::error::Result;

/// Both architectures round stubs to this many bytes.
const STUB: u64 = 16;
/// Except in `.plt.got` on `x86_64` without IBT, where the section's entry size says so.
const SHORT_STUB: u64 = 8;

/// The names of those `svmas` that lie in PLT stubs.
pub(crate) fn names(elf: &Elf, svmas: &[u64]) -> Result<HashMap<u64, String>> {
    let mut slots = HashMap::new();
    for &svma in svmas {
        if let Some(section) = plt_section(elf, svma)
            && let Some(slot) = slot_of(elf, section, svma)
        {
            slots.insert(svma, slot);
        }
    }
    if slots.is_empty() {
        return Ok(HashMap::new());
    }
    let symbols = relocated_symbols(elf, &slots)?;
    Ok(slots
        .into_iter()
        .filter_map(|(svma, slot)| Some((svma, format!("{}@plt", symbols.get(&slot)?))))
        .collect())
}

/// Where stubs may be. Without section headers that is all the code: only a stub jumps through a slot that the dynamic
/// linker fills for it.
pub(crate) fn plt_section(elf: &Elf, svma: u64) -> Option<&Section> {
    let prefix: &[u8] = if elf.has_headers() { b".plt" } else { b".text" };
    elf.sections().iter().find(|s| s.contains(svma) && elf.name(s).starts_with(prefix))
}

/// The address of the GOT slot that the stub around `svma` jumps through.
fn slot_of(elf: &Elf, section: &Section, svma: u64) -> Option<u64> {
    let short = elf.name(section) == b".plt.got" && section.entry_size == SHORT_STUB;
    let stub = if short { SHORT_STUB } else { STUB };
    // Sections of stubs are aligned to their size.
    let address = svma / stub * stub;
    let into = address.checked_sub(section.address)?;
    let len = stub.min(section.size - into);
    let code = elf.read(section.offset.checked_add(into)?, len).ok()?;
    match elf.machine {
        Machine::X86_64 => x86_64_slot(&code, address),
        Machine::Aarch64 => aarch64_slot(&code, address),
        Machine::Other => None,
    }
}

/// `slot = address of the next instruction + disp32` of the stub's `jmp *disp32(%rip)`.
fn x86_64_slot(code: &[u8], address: u64) -> Option<u64> {
    let at = code.windows(6).position(|w| w[0] == 0xff && w[1] == 0x25)?;
    let disp = i32::from_le_bytes(code[at + 2..at + 6].try_into().ok()?);
    Some(address.wrapping_add(at as u64 + 6).wrapping_add_signed(i64::from(disp)))
}

/// `slot = page(adrp) + 8 * imm12(ldr)` of the stub's `adrp x16; ldr x17, [x16, #imm]`.
fn aarch64_slot(code: &[u8], address: u64) -> Option<u64> {
    let mut words = code.as_chunks::<4>().0.iter().map(|w| u32::from_le_bytes(*w)).enumerate();
    let (index, adrp) = words.find(|(_, w)| w & 0x9f00_001f == 0x9000_0010)?;
    let (_, ldr) = words.find(|(_, w)| w & 0xffc0_03ff == 0xf940_0211)?;
    let imm = (adrp >> 29 & 3) | (adrp >> 5 & 0x7_ffff) << 2;
    let pages = i64::from((imm << 11).cast_signed() >> 11);
    let page = address.wrapping_add(index as u64 * 4) & !0xfff;
    Some(page.wrapping_add_signed(pages << 12).wrapping_add(u64::from(ldr >> 10 & 0xfff) * 8))
}

/// GOT slot → the name of the dynamic symbol that the loader puts there.
fn relocated_symbols(elf: &Elf, slots: &HashMap<u64, u64>) -> Result<HashMap<u64, String>> {
    let wanted: HashSet<u64> = slots.values().copied().collect();
    let mut names = HashMap::new();
    // Code that is no stub may jump through the slots of other relocations.
    let is_of_stubs = |table: &&Section| elf.name(table) == b".rela.plt";
    let (of_stubs, others): (Vec<_>, Vec<_>) = elf.relocation_tables().partition(is_of_stubs);
    let others = others.into_iter().filter(|_| elf.has_headers());
    // The others are megabytes, and seldom needed.
    for table in of_stubs.into_iter().chain(others) {
        if names.len() == wanted.len() {
            break;
        }
        elf.for_each_relocation(table, |entry| {
            if wanted.contains(&entry.address)
                && entry.symbol != 0
                && !names.contains_key(&entry.address)
                && let Some(name) = dynamic_name(elf, table, entry.symbol)
            {
                names.insert(entry.address, name);
            }
        })?;
    }
    Ok(names)
}

fn dynamic_name(elf: &Elf, relocations: &Section, symbol: u32) -> Option<String> {
    let symbols = elf.section_at(relocations.link)?;
    let size = size_of::<Sym64<LE>>() as u64;
    let at = u64::from(symbol).checked_mul(size).filter(|at| *at + size <= symbols.size)?;
    let bytes = elf.read(symbols.offset.checked_add(at)?, size).ok()?;
    let (entry, _) = pod::from_bytes::<Sym64<LE>>(&bytes).ok()?;
    let name = string_at(elf, elf.section_at(symbols.link)?, entry.st_name.get(LE)).ok()?;
    (!name.is_empty()).then_some(name)
}
