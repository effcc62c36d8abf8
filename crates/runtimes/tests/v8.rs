//! Functions of V8 in made-up memory: what is read of them, and that nothing that a process holds costs more than it may.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_arch = "x86_64")]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use infrared_runtimes::{ImageFacts, Line, Memory, Named, Namer, detect};
use infrared_unwind::Symbol;

/// As Node.js 22 has them.
const CONSTANTS: [(&str, i32); 33] = [
    ("v8dbg_class_JSFunction__shared__SharedFunctionInfo", 32),
    ("v8dbg_class_SharedFunctionInfo__script__Tagged_HeapObject_", 32),
    ("v8dbg_class_SharedFunctionInfo__name_or_scope_info__Tagged_Object_", 16),
    ("v8dbg_class_SharedFunctionInfo__flags__int", 48),
    ("v8dbg_class_Script__name__Object", 16),
    ("v8dbg_class_Script__source__Object", 8),
    ("v8dbg_class_Script__line_ends__Object", 56),
    ("v8dbg_class_Map__instance_type__uint16_t", 12),
    ("v8dbg_class_BytecodeArray__data__uintptr_t", 64),
    ("v8dbg_class_BytecodeArray__length__SMI", 8),
    ("v8dbg_scopeinfo_idx_first_vars", 3),
    ("v8dbg_type_Script__SCRIPT_TYPE", SCRIPT as i32),
    ("v8dbg_type_ScopeInfo__SCOPE_INFO_TYPE", SCOPE as i32),
    ("v8dbg_type_BytecodeArray__BYTECODE_ARRAY_TYPE", BYTECODES as i32),
    ("v8dbg_type_Code__CODE_TYPE", CODE as i32),
    ("v8dbg_type_InterpreterData__INTERPRETER_DATA_TYPE", 207),
    ("v8dbg_type_InstructionStream__INSTRUCTION_STREAM_TYPE", STREAM as i32),
    ("v8dbg_class_InstructionStream__instruction_start__uintptr_t", 32),
    ("v8dbg_class_Code__instruction_start__Address", 40),
    ("v8dbg_class_Code__flags__uint32_t", 48),
    ("v8dbg_class_Code__instruction_size__int", 52),
    ("v8dbg_CodeKindBaseline", 10),
    ("v8dbg_DeoptimizationDataLiteralArrayIndex", 2),
    ("v8dbg_DeoptimizationDataInliningPositionsIndex", 7),
    ("v8dbg_DeoptimizationDataSharedFunctionInfoIndex", 6),
    ("_ZN2v88internal7Version6major_E", 12),
    ("v8dbg_off_fp_context_or_frame_type", -8),
    ("v8dbg_off_fp_function", -16),
    ("v8dbg_off_fp_bytecode_array", -32),
    ("v8dbg_off_fp_bytecode_offset", -40),
    // Bytes of each bytecode: two prefixes, two of a debugger, and one of three bytes.
    ("_ZN2v88internal11interpreter9Bytecodes14kBytecodeSizesE", 0x0101_0101),
    ("sizes, wider", 0x0101_0103),
    ("sizes, widest", 0x0101_0501),
];
const SCRIPT: u16 = 167;
const SCOPE: u16 = 272;
const BYTECODES: u16 = 205;
const CODE: u16 = 206;
const STREAM: u16 = 210;
const STRING: u16 = 8;
const ARRAY: u16 = 174;
const COMPILED: u64 = 2;

fn namer_of(constants: &[(&'static str, i32)]) -> Option<Namer> {
    let place = |index: usize| Symbol { address: 0x1000 + index as u64 * 4, size: 15 };
    let symbols: Vec<_> =
        constants.iter().enumerate().map(|(index, (name, _))| (*name, place(index))).collect();
    let bytes: Vec<u8> =
        constants.iter().flat_map(|(_, value)| value.to_le_bytes()).chain([0; 16]).collect();
    let read = |svma: u64, into: &mut [u8]| {
        let at = (svma - 0x1000) as usize;
        into.copy_from_slice(&bytes[at..at + into.len()]);
        into.len()
    };
    let image = ImageFacts { go: None, symbols: &symbols, path: "/usr/bin/node", read: &read };
    detect(&image).first()?.namer()
}

fn namer() -> Namer {
    namer_of(&CONSTANTS).unwrap()
}

/// Words at addresses.
#[derive(Default)]
struct Heap {
    words: RefCell<HashMap<u64, u64>>,
    next: Cell<u64>,
}

impl Memory for Heap {
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        for (place, byte) in (address..).zip(into) {
            // Pages are whole.
            let is_page = (0x10_0000..0x40_0000).contains(&place);
            let word = self.words.borrow().get(&(place & !7)).copied();
            let word = word.or_else(|| is_page.then_some(0))?;
            *byte = (word >> (8 * (place & 7))) as u8;
        }
        Some(())
    }
}

fn small(number: u64) -> u64 {
    number << 32
}

impl Heap {
    fn put(&self, address: u64, word: u64) {
        self.words.borrow_mut().insert(address, word);
    }

    /// An object of so many words after its map; returns a tagged pointer.
    fn object(&self, kind: u16, words: &[u64]) -> u64 {
        let map = 0x10_0000 + u64::from(kind) * 16;
        self.put(map, 0);
        self.put(map + 8, u64::from(kind) << 32);
        let at = self.next.get().max(0x20_0000);
        self.next.set(at + (words.len() as u64 + 2) * 8);
        self.put(at, map + 1);
        for (place, word) in (at + 8..).step_by(8).zip(words) {
            self.put(place, *word);
        }
        at + 1
    }

    fn bytes(&self, kind: u16, head: &[u64], bytes: &[u8]) -> u64 {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(8), 0);
        let words = padded.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
        self.object(kind, &head.iter().copied().chain(words).collect::<Vec<_>>())
    }

    fn string(&self, text: &str) -> u64 {
        self.bytes(STRING, &[(text.len() as u64) << 32], text.as_bytes())
    }

    fn table(&self, bytes: &[u8]) -> u64 {
        self.bytes(ARRAY, &[small(bytes.len() as u64)], bytes)
    }

    fn array(&self, elements: &[u64]) -> u64 {
        let length = [small(elements.len() as u64)];
        self.object(ARRAY, &length.iter().chain(elements).copied().collect::<Vec<_>>())
    }

    fn script(&self, source: &str) -> u64 {
        let (name, source) = (self.string("file:///srv/shop.mjs"), self.string(source));
        self.object(SCRIPT, &[source, name, 0, 0, 0, 0, 0, small(77)])
    }

    /// A function that is the `literal`th of its script, and is run by something.
    fn function(&self, (script, literal): (u64, u64), name: u64, run_by: u64) -> u64 {
        self.object(17, &[run_by, name, 0, script, 0, literal << 32])
    }

    /// Bytecode in which each position is a statement's.
    fn bytecode(&self, bytecode: &[u8], positions: &[u8]) -> u64 {
        let table = self.table(positions);
        let head = [small(bytecode.len() as u64), 0, table, 0, 0, 0, 0];
        self.bytes(BYTECODES, &head, bytecode)
    }
}

/// `ir_hash_mix` of bpf/unwind/walk.h, of a function of script 77.
fn hash(literal: u64) -> u64 {
    let hash = (literal | 77 << 32).rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 29
}

fn interpreted(heap: &Heap, shared: u64, (literal, offset): (u64, u32)) -> Option<Vec<Line>> {
    let key = (shared - 1, (hash(literal) >> 32) as u32, offset);
    namer().name(heap, key).map(|named: Named| named.lines(offset))
}

/// Of a frame of compiled code at a pc.
fn compiled(heap: &Heap, shared: u64, (literal, pc): (u64, u64)) -> Option<Vec<String>> {
    let space = ((pc >> 32) as u32) << 16 | (hash(literal) >> 48) as u32;
    let named = namer().name(heap, ((shared - 1) | COMPILED, space, pc as u32))?;
    Some(named.lines(0).iter().map(|line| format!("{}:{}", line.function, line.line)).collect())
}

const SOURCE: &str = "one\r\ntwo\nthree\rfour\n";
/// Steps of one bytecode each, to the second, third, and fourth line.
const POSITIONS: [u8; 6] = [0, 24, 2, 16, 2, 24];

#[test]
fn an_interpreted_function_has_the_name_file_and_line_of_its_script() {
    let heap = Heap::default();
    let script = heap.script(SOURCE);
    let bytecode = heap.bytecode(&[4, 0, 0, 4], &POSITIONS);
    let plain = heap.function((script, 3), heap.string("total"), bytecode);
    let lines = |shared, literal, offset| {
        interpreted(&heap, shared, (literal, offset)).map(|lines| lines[0].clone()).unwrap()
    };
    let line = lines(plain, 3, 0);
    assert_eq!((&*line.function, &*line.file, line.line), ("total", "/srv/shop.mjs", 2));
    assert_eq!([1, 2, 3].map(|offset| lines(plain, 3, offset).line), [3, 4, 4]);
    assert_eq!(lines(plain, 3, 4).line, 0, "behind its bytecode");
    // In a scope: flags, parameters, two variables with their places, and the name after them.
    let (a, b) = (heap.string("a"), heap.string("b"));
    let scope = [0, 0, small(2), a, b, 0, 0, 0, heap.string("scoped"), 0, 0, 0];
    let scoped = heap.function((script, 4), heap.object(SCOPE, &scope), bytecode);
    assert_eq!(&*lines(scoped, 4, 0).function, "scoped");
    let nameless = heap.function((script, 5), heap.string(""), bytecode);
    assert_eq!(&*lines(nameless, 5, 0).function, "(anonymous)");
}

#[test]
fn a_function_in_whose_place_another_came_has_no_name() {
    let heap = Heap::default();
    let script = heap.script(SOURCE);
    let shared = heap.function((script, 3), heap.string("total"), 0);
    assert!(interpreted(&heap, shared, (3, 0)).is_some());
    assert_eq!(interpreted(&heap, shared, (4, 0)), None);
    assert!(compiled(&heap, shared, (3, 0)).is_some());
    assert_eq!(compiled(&heap, shared, (4, 0)), None);
    heap.put(shared - 1 + 32, heap.string("no script"));
    assert_eq!(interpreted(&heap, shared, (3, 0)), None);
}

/// Code of so many bytes, which has no pointers; returns where its instructions begin.
fn code(heap: &Heap, (kind, size): (u64, u64), deopt: u64, positions: u64) -> u64 {
    let stream = heap.object(STREAM, &vec![0; 3 + size as usize / 8]);
    let start = stream - 1 + 32;
    let code = heap.object(CODE, &[deopt, positions, 0, stream, start, kind | size << 32]);
    heap.put(stream - 1 + 8, code);
    start
}

#[test]
fn compiled_code_has_the_functions_that_were_put_into_it() {
    let heap = Heap::default();
    let script = heap.script(SOURCE);
    let outer = heap.function((script, 3), heap.string("outer"), 0);
    let middle = heap.function((script, 4), heap.string("middle"), 0);
    let inner = heap.function((script, 5), heap.string("inner"), 0);
    let (literals, at) = (heap.array(&[inner | 2, middle | 2]), |offset: u64| (offset + 1) << 1);
    // The second call is in what the first has put in, which is function 1, in the third line.
    let calls = [at(5), 1, at(9) | 1 << 31, 0].map(u64::to_le_bytes).concat();
    let data = [0, 0, literals, 0, 0, 0, outer, heap.table(&calls)];
    // From 8 on at the first line, from 16 on in the second call, at the fourth.
    let second = at(16) | 2 << 31;
    let steps = [2, second - 2].map(|step| step << 1);
    let mut table = vec![16];
    for (step, before) in steps.into_iter().zip([&[][..], &[16]]) {
        table.extend(before);
        let mut rest = step;
        while rest >= 0x80 {
            table.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        table.push(rest as u8);
    }
    let start = code(&heap, (13, 64), heap.array(&data), heap.table(&table));
    let lines = |place| compiled(&heap, outer, (3, start + place)).unwrap();
    assert_eq!(lines(4), ["outer:0"], "before the first position");
    assert_eq!(lines(8), ["outer:1"]);
    assert_eq!(lines(16), ["inner:4", "middle:3", "outer:2"]);
    assert_eq!(lines(64), ["outer:0"], "behind the code");
    // The code is another function's.
    assert_eq!(compiled(&heap, inner, (5, start + 16)).unwrap(), ["inner:0"]);
}

#[test]
fn baseline_code_has_the_line_of_the_bytecode_that_it_was_made_of() {
    let heap = Heap::default();
    let script = heap.script(SOURCE);
    // One, one that is widened, and one: 3, 6 and 3 bytes.
    let code_bytes = [4, 0, 0, 0, 4, 0, 0, 0, 0, 4, 0, 0];
    let bytecode = heap.bytecode(&code_bytes, &[0, 24, 6, 16, 12, 24]);
    let shared = heap.function((script, 3), heap.string("base"), bytecode);
    // A prologue of 16 bytes, then 8 for each.
    let start = code(&heap, (10, 64), bytecode, heap.table(&[16, 8, 8, 8]));
    let lines = |place| compiled(&heap, shared, (3, start + place)).unwrap();
    let expected = ["base:2", "base:2", "base:2", "base:3", "base:3", "base:4", "base:4"];
    assert_eq!([0, 16, 23, 24, 31, 32, 39].map(lines), expected.map(|line| [line]));
    assert_eq!(lines(40), ["base:0"], "behind the table");
}

/// Anything at all at every address; most of it points on.
struct Anything {
    seed: u64,
    reads: Cell<u64>,
}

impl Memory for Anything {
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        self.reads.set(self.reads.get() + 1);
        for (place, byte) in (address..).zip(into) {
            let word = ((place / 8) ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let word = word ^ word >> 31;
            let types = [SCRIPT, SCOPE, BYTECODES, CODE, STREAM, STRING, 9, 11, 13, 10, ARRAY, 1];
            let word = match word % 8 {
                0..4 => (word >> 8 & 0xffff_fff8) + 0x10_0001,
                4..6 => u64::from(types[(word >> 8) as usize % types.len()]) << 32,
                6 => word >> 40 << 32,
                _ => word,
            };
            *byte = (word >> (8 * (place & 7))) as u8;
        }
        Some(())
    }
}

#[test]
fn no_memory_costs_more_than_a_few_thousand_reads() {
    let namer = namer();
    for seed in 0..4000_u64 {
        let memory = Anything { seed, reads: Cell::new(0) };
        let mut found = memory.seed.wrapping_mul(0x1234_5678_9abc_def1);
        found &= 0x7fff_ffff_fff8;
        for kind in [0, COMPILED] {
            // It may well have a name: who lies about memory is believed.
            let _named = namer.name(&memory, (found | kind, seed as u32, found as u32));
        }
        assert!(memory.reads.get() < 20_000, "{seed}: {}", memory.reads.get());
    }
}

#[test]
fn an_image_that_lacks_a_constant_has_no_engine() {
    assert!(namer_of(&CONSTANTS).is_some());
    for missing in
        ["v8dbg_class_JSFunction__shared__SharedFunctionInfo", "v8dbg_type_Script__SCRIPT_TYPE"]
    {
        let rest: Vec<_> = CONSTANTS.into_iter().filter(|(name, _)| *name != missing).collect();
        assert_eq!(namer_of(&rest), None, "{missing}");
    }
    // Frames are others.
    let other = CONSTANTS.map(|(name, value)| (name, if value == -16 { -24 } else { value }));
    assert_eq!(namer_of(&other), None);
}
