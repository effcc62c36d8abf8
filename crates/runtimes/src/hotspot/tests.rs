//! Methods and compiled code in made-up memory, as it should be, as something else's, and as garbage.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::layout::{
    BlobLayout, CodeBegin, Layout, Metadata, MethodLayout, NumberFormat, ScopeData, ScopeLayout,
    SourceFile,
};
use crate::{Line, Memory, Named};

/// Words at runtime addresses; nothing else can be read.
#[derive(Clone, Default)]
struct Words {
    words: BTreeMap<u64, u64>,
    reads: Cell<u64>,
}

impl Words {
    fn put(&mut self, address: u64, bytes: &[u8]) {
        for (at, byte) in (address..).zip(bytes) {
            let word = self.words.entry(at & !7).or_default();
            let shift = (at & 7) * 8;
            *word = *word & !(0xff << shift) | u64::from(*byte) << shift;
        }
    }

    fn word(&mut self, address: u64, word: u64) {
        self.put(address, &word.to_le_bytes());
    }

    /// A symbol; returns its address, with a tag.
    fn symbol(&mut self, address: u64, text: &str) -> u64 {
        self.put(address + 4, &(text.len() as u16).to_le_bytes());
        self.put(address + 6, text.as_bytes());
        address | 1
    }
}

impl Memory for Words {
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        self.reads.set(self.reads.get() + into.len() as u64);
        for (at, byte) in (address..).zip(into) {
            let word = self.words.get(&(at & !7))?;
            *byte = (word >> ((at & 7) * 8)) as u8;
        }
        Some(())
    }
}

const LAYOUT: Layout = Layout {
    blob: BlobLayout {
        name: 0,
        frame_words: 8,
        frame_complete: 12,
        is_complete_short: false,
        code: CodeBegin::Pointer(16),
        compile_id: 24,
        method: 32,
    },
    method: MethodLayout {
        const_method: 8,
        constants: 8,
        flags: 28,
        code_size: 32,
        bytecodes: 48,
        holder: 24,
        pool: 72,
        klass_name: 24,
        source_file: SourceFile::InPool(54),
        symbol_length: 4,
        symbol_body: 6,
        numbers: NumberFormat::WithZeros,
    },
    scopes: Some(ScopeLayout {
        pcs: 40,
        pcs_end: 44,
        data: ScopeData::Pointer(48),
        metadata: Metadata::Offset(56),
    }),
};

const POOL: u64 = 0x10_0000;
const HOLDER: u64 = 0x11_0000;
const SYMBOLS: u64 = 0x12_0000;
/// Methods, and their constant parts.
const METHODS: [u64; 2] = [0x13_0000, 0x13_0100];
const CONSTANTS: [u64; 2] = [0x14_0000, 0x14_0100];
const BLOB: u64 = 0x20_0000;
const CODE: u64 = 0x20_0100;
const ID: u32 = 12;

/// A class with two methods, `add` and `total`, and code in which `add` was put into `total`.
fn shop() -> Words {
    let mut memory = Words::default();
    memory.word(POOL + 24, HOLDER);
    let texts =
        ["com/shop/Cart", "add", "total", "(Lcom/shop/Item;)V", "Cart.java"].iter().zip(0..);
    for (text, number) in texts {
        let symbol = memory.symbol(SYMBOLS + number * 64, text);
        memory.word(POOL + 72 + number * 8, symbol);
    }
    memory.word(HOLDER + 24, SYMBOLS);
    memory.put(POOL + 54, &4_u16.to_le_bytes());
    for (index, (method, constant)) in METHODS.into_iter().zip(CONSTANTS).enumerate() {
        memory.word(method + 8, constant);
        memory.word(constant + 8, POOL);
        memory.put(constant + 28, &1_u16.to_le_bytes());
        let name = index as u16 + 1;
        for (at, number) in (0..).zip([4_u16, name, 3]) {
            memory.put(constant + 32 + at * 2, &number.to_le_bytes());
        }
        // Bytecode, then its lines: 0 is line 10 or 20, 2 the next.
        memory.put(constant + 48, &[0; 4]);
        memory.put(constant + 52, &[0xff, 0, 20 * name as u8, 2 << 3 | 1, 0]);
        memory.put(constant + 57, &[0; 16]);
    }
    memory.word(BLOB, SYMBOLS + 0x800);
    memory.put(SYMBOLS + 0x800, b"nmethod\0");
    memory.word(BLOB + 16, CODE);
    memory.word(BLOB + 24, ID.into());
    memory.word(BLOB + 32, METHODS[1]);
    // Three descriptors: of nothing, of `add` in `total` at 0x30, of `total` alone at 0x40; and the last, of everything behind.
    memory.put(BLOB + 40, &0x200_u32.to_le_bytes());
    memory.put(BLOB + 44, &0x240_u32.to_le_bytes());
    for (at, [pc, scope]) in (0..).zip([[u32::MAX, 0], [0x30, 8], [0x40, 4], [u32::MAX >> 1, 0]]) {
        memory.word(BLOB + 0x200 + at * 16, u64::from(pc) | u64::from(scope) << 32);
        memory.word(BLOB + 0x208 + at * 16, 0);
    }
    memory.word(BLOB + 48, BLOB + 0x300);
    // Sender, method, bytecode and one more. `total` at 2 stands for itself; `add` at 0 was put into that.
    memory.put(BLOB + 0x300, &[0, 0, 0, 0, 0, 2, 3, 0, 4, 1, 1, 0]);
    memory.put(BLOB + 0x30c, &[0; 20]);
    memory.put(BLOB + 56, &0x400_u32.to_le_bytes());
    memory.word(BLOB + 0x400, METHODS[0]);
    memory.word(BLOB + 0x408, METHODS[1]);
    memory
}

fn line(name: &str, line: u32) -> Line {
    Line {
        function: format!("com.shop.Cart.{name}").into(),
        system_name: format!("com.shop.Cart.{name}(Lcom/shop/Item;)V").into(),
        file: "Cart.java".into(),
        line,
    }
}

fn compiled(memory: &Words, id: u32, offset: u32) -> Option<Named> {
    let position = u32::try_from(CODE - BLOB).unwrap() + offset;
    LAYOUT.compiled(memory, (BLOB, id, position))
}

fn java(lines: Vec<Line>) -> Named {
    Named::Java(lines.into())
}

#[test]
fn an_interpreted_method_has_its_class_its_name_and_the_line_of_its_bytecode() {
    let memory = shop();
    let check = LAYOUT.method(&memory, METHODS[0]).unwrap().check();
    for (bytecode, number) in [(0, 10), (1, 10), (2, 11), (3, 11)] {
        let named = LAYOUT.interpreted(&memory, (METHODS[0], check, bytecode));
        assert_eq!(named, Some(java(vec![line("add", number)])), "{bytecode}");
    }
    assert_eq!(LAYOUT.interpreted(&memory, (METHODS[1], check, 0)), None, "it is another");
}

#[test]
fn compiled_code_has_all_methods_that_were_put_into_one_another_at_its_place() {
    let memory = shop();
    // Up to a descriptor's place it is what that says.
    for (offset, lines) in [
        (0x10, vec![line("add", 10), line("total", 21)]),
        (0x30, vec![line("add", 10), line("total", 21)]),
        (0x31, vec![line("total", 21)]),
        (0x40, vec![line("total", 21)]),
        // Nothing is said of what is behind.
        (0x41, vec![line("total", 0)]),
    ] {
        assert_eq!(compiled(&memory, ID, offset), Some(java(lines)), "{offset:x}");
    }
    assert_eq!(compiled(&memory, ID + 1, 0x30), None, "another was compiled there since");
    let mut stub = shop();
    stub.put(SYMBOLS + 0x800, b"StubRoutines (continuation stubs)\0");
    stub.put(SYMBOLS + 0x822, &[0; 64]);
    assert_eq!(compiled(&stub, 0, 0x30), Some(Named::Runtime("frozen frames".into())));
}

#[test]
fn a_method_whose_memory_became_something_else_s_has_no_name() {
    let memory = shop();
    let check = LAYOUT.method(&memory, METHODS[0]).unwrap().check();
    let mut other = memory.clone();
    // The same place in memory, with another name.
    other.put(CONSTANTS[0] + 34, &2_u16.to_le_bytes());
    assert_eq!(LAYOUT.interpreted(&other, (METHODS[0], check, 0)), None);
    let mut moved = memory.clone();
    moved.word(METHODS[0] + 8, CONSTANTS[1]);
    assert_eq!(LAYOUT.interpreted(&moved, (METHODS[0], check, 0)), None);
}

#[test]
fn garbage_costs_little_and_is_never_taken_for_more_than_a_name() {
    const MOST_BYTES: u64 = 16 << 20;
    let whole = shop();
    let addresses: Vec<u64> = whole.words.keys().copied().collect();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for _ in 0..5_000 {
        let mut memory = whole.clone();
        for _ in 0..=next() % 3 {
            let at = addresses[next() as usize % addresses.len()];
            // Anything, or an address that something is at.
            let word = match next() % 3 {
                0 => next(),
                1 => addresses[next() as usize % addresses.len()],
                _ => u64::MAX >> (next() % 64),
            };
            memory.words.insert(at, word);
        }
        for offset in [0x10, 0x31, 0x41] {
            compiled(&memory, ID, offset);
        }
        LAYOUT.interpreted(&memory, (METHODS[0], 0, u32::MAX >> 1));
        assert!(memory.reads.get() < MOST_BYTES, "{} bytes", memory.reads.get());
    }
}
