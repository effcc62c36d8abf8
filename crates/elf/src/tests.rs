use super::*;

const BASE: u64 = 0x1000;
const HASH: u64 = BASE + 0x400;

/// A file that is loaded at an address as it is.
struct Bytes(Vec<u8>);

impl Loaded for Bytes {
    type Error = ();

    fn rest(&self, svma: u64) -> Option<u64> {
        (self.0.len() as u64).checked_sub(svma.checked_sub(BASE)?).filter(|rest| *rest > 0)
    }

    fn read(&self, svma: u64, len: u64) -> Result<Cow<'_, [u8]>, ()> {
        let at = (svma - BASE) as usize;
        Ok(self.0[at..at + len as usize].into())
    }
}

/// A dynamic section, and words of a hash table.
fn image(entries: &[(u32, u64)], hash: &[u32]) -> Bytes {
    let mut bytes = vec![0; 0x800];
    for (place, (tag, value)) in bytes.chunks_exact_mut(16).zip(entries) {
        place[..8].copy_from_slice(&u64::from(*tag).to_le_bytes());
        place[8..].copy_from_slice(&value.to_le_bytes());
    }
    for (place, word) in bytes[(HASH - BASE) as usize..].chunks_exact_mut(4).zip(hash) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    Bytes(bytes)
}

fn symbols(hash_tag: u32, hash: &[u32]) -> Result<Option<Table>, DynamicError<()>> {
    let image = image(&[(elf::DT_SYMTAB, 0x77), (hash_tag, HASH)], hash);
    Dynamic::read(&image, BASE).unwrap().symbols(&image)
}

#[test]
fn tables_are_where_the_entries_say_up_to_the_one_that_ends_them() {
    let image = image(
        &[
            (elf::DT_STRTAB, 1),
            (elf::DT_STRSZ, 2),
            (elf::DT_JMPREL, 3),
            (elf::DT_PLTRELSZ, 0),
            (elf::DT_RELA, 0),
            (elf::DT_RELASZ, 6),
            (elf::DT_NULL, 0),
            (elf::DT_GNU_HASH, 7),
        ],
        &[],
    );
    let dynamic = Dynamic::read(&image, BASE).unwrap();
    assert_eq!(dynamic.strings(), Some(Table { address: 1, size: 2 }));
    assert_eq!((dynamic.plt_relocations(), dynamic.relocations()), (None, None));
    assert_eq!((dynamic.gnu_hash(), dynamic.symbols(&image)), (None, Ok(None)));
    assert!(matches!(Dynamic::read(&image, 5), Err(DynamicError::Malformed(_))));
    // One that nothing ends does with what is loaded.
    assert!(Dynamic::read(&image, BASE + 0x7f8).unwrap().0.is_empty());
}

#[test]
fn the_hash_tables_tell_how_many_symbols_there_are() {
    let table = |count| Ok(Some(Table { address: 0x77, size: count * SYMBOL }));
    assert_eq!(symbols(elf::DT_HASH, &[3, 9]), table(9));
    // Two buckets, the first symbol is 4, a word of filter; the last chain begins at 6 and has two symbols.
    let whole = [2, 4, 1, 0, 0, 0, 4, 6, 1, 1, 2, 3];
    assert_eq!(symbols(elf::DT_GNU_HASH, &whole), table(8));
    assert_eq!(symbols(elf::DT_GNU_HASH, &[1, 4, 0, 0, 0]), table(4), "none is in it");
}

#[test]
fn a_false_hash_table_is_an_error() {
    let malformed = Err(DynamicError::Malformed(HASH_TABLE));
    for (words, expected) in [
        (&[u32::MAX, 0, 0, 0][..], Err(DynamicError::OverBudget(HASH_TABLE))),
        (&[0x1000, 0, 0, 0], malformed),
        (&[1, 0, u32::MAX, 0], Err(DynamicError::Malformed(HASH_TABLE))),
        (&[1, 0, 0, 0, u32::MAX], Err(DynamicError::Malformed(HASH_TABLE))),
        // A chain that nothing ends.
        (&[1, 0, 0, 0, 1, 2, 2], Err(DynamicError::Malformed(HASH_TABLE))),
    ] {
        assert_eq!(symbols(elf::DT_GNU_HASH, words), expected, "{words:?}");
    }
    let none = symbols(elf::DT_RELACOUNT, &[]);
    assert!(matches!(none, Err(DynamicError::Unsupported(_))), "{none:?}");
    let image = image(&[(elf::DT_SYMTAB, 1), (elf::DT_HASH, u64::MAX - 1)], &[]);
    let beyond = Dynamic::read(&image, BASE).unwrap().symbols(&image);
    assert_eq!(beyond, Err(DynamicError::Malformed(HASH_TABLE)));
}

#[test]
fn a_symbol_is_found_by_its_name_in_the_older_hash_table() {
    const SYMBOLS: u64 = BASE + 0x500;
    const NAMES: u64 = BASE + 0x600;
    let tables = [
        (elf::DT_HASH, HASH),
        (elf::DT_SYMTAB, SYMBOLS),
        (elf::DT_STRTAB, NAMES),
        (elf::DT_STRSZ, 0x100),
    ];
    // One bucket with symbols 3, 1, 2; the last leads back to the first, which no linker would make.
    let mut image = image(&tables, &[1, 4, 3, 0, 2, 3, 1]);
    let mut put = |at: u64, bytes: &[u8]| {
        let at = (at - BASE) as usize;
        image.0[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(NAMES, b"\0open\0close\0gone\0");
    for (number, name, section, address) in
        [(1, 1, 7, 0x1111_u64), (2, 6, 7, 0x2222), (3, 12, 0, 0x3333)]
    {
        let at = SYMBOLS + number * SYMBOL;
        put(at, &u32::to_le_bytes(name));
        put(at + 4, &u32::to_le_bytes(section << 16));
        put(at + 8, &address.to_le_bytes());
        put(at + 16, &u64::to_le_bytes(number));
    }
    let dynamic = Dynamic::read(&image, BASE).unwrap();
    let found = |name| dynamic.find_symbol(&image, name).unwrap();
    assert_eq!(found("open"), Some(Symbol { address: 0x1111, size: 1 }));
    assert_eq!(found("close"), Some(Symbol { address: 0x2222, size: 2 }));
    assert_eq!((found("gone"), found("clos"), found("")), (None, None, None), "it is of another");
}
