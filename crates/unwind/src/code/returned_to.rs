//! glibc's `__start_context`: where a function returns to that `makecontext` made the start of a stack.
//!
//! It is returned to at its first instruction, so the address before it is looked up, which is padding. There the
//! stack ends: its own frame description speaks of a caller that does not exist.

use object::ReadRef;

use crate::image::Image;

/// `mov %rbx, %rsp; mov (%rsp), %rdi; test %rdi, %rdi` (glibc 2.36, `sysdeps/unix/sysv/linux/x86_64/__start_context.S`).
const START_CONTEXT: [u8; 10] = [0x48, 0x89, 0xdc, 0x48, 0x8b, 0x3c, 0x24, 0x48, 0x85, 0xff];
/// The part of `makecontext` that is looked into for its address.
const REACH: u64 = 512;
const MAX_SYMBOL_BYTES: u64 = 4 << 20;
const SYMBOL_LEN: usize = 24;
const LEA_LEN: usize = 7;

/// The address of `__start_context` in an image that has `makecontext`.
pub(super) fn start_context<'d, R: ReadRef<'d>>(image: &Image<'d, R>) -> Option<u64> {
    if !may_export(image, b"makecontext") {
        return None;
    }
    let makecontext = [(".dynsym", ".dynstr"), (".symtab", ".strtab")]
        .into_iter()
        .find_map(|(symbols, names)| function_named(image, symbols, names, b"makecontext\0"))?;
    let code = image.bytes_at(makecontext, REACH)?;
    let targets = code.windows(LEA_LEN).enumerate().filter_map(|(at, bytes)| {
        // lea displacement(%rip), %r64
        let is_lea = matches!(bytes[0], 0x48 | 0x4c) && bytes[1] == 0x8d && bytes[2] & 0xc7 == 0x05;
        let displacement = i32::from_le_bytes(bytes[3..].try_into().ok()?);
        let next = makecontext.checked_add((at + LEA_LEN) as u64)?;
        is_lea.then(|| next.wrapping_add_signed(displacement.into()))
    });
    targets
        .filter(|target| *target > 0)
        .find(|target| image.bytes_at(*target, START_CONTEXT.len() as u64) == Some(&START_CONTEXT))
}

/// `false` if the image exports symbols, and none that is called `name`: few words of its hash table tell, where the table of
/// symbols may have megabytes (`.gnu.hash`: header of four words, Bloom filter, buckets).
fn may_export<'d, R: ReadRef<'d>>(image: &Image<'d, R>, name: &[u8]) -> bool {
    let hash = name
        .iter()
        .fold(5381_u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)));
    let excludes = || -> Option<bool> {
        let table = image.section_place(".gnu.hash").ok()??;
        let bytes = |at: u64, len: u64| image.file_bytes(table.file_offset.checked_add(at)?, len);
        let word = |at| Some(u32::from_le_bytes(bytes(at, 4)?.try_into().ok()?));
        let [buckets, filters, shift] = [word(0)?, word(8)?, word(12)?];
        let filter_at = 16 + 8 * u64::from((hash / 64).checked_rem(filters)?);
        let filter = u64::from_le_bytes(bytes(filter_at, 8)?.try_into().ok()?);
        let bits = 1_u64 << (hash % 64) | 1_u64 << (hash.checked_shr(shift)? % 64);
        let bucket_at = 16 + 8 * u64::from(filters) + 4 * u64::from(hash.checked_rem(buckets)?);
        Some(filter & bits != bits || word(bucket_at)? == 0)
    };
    !excludes().unwrap_or(false)
}

/// The address of the function that is called `name`, which ends in a zero.
fn function_named<'d, R: ReadRef<'d>>(
    image: &Image<'d, R>,
    symbols: &'static str,
    names: &'static str,
    name: &[u8],
) -> Option<u64> {
    if [symbols, names]
        .iter()
        .any(|table| image.section(table).is_none_or(|section| section.size > MAX_SYMBOL_BYTES))
    {
        return None;
    }
    let names = image.section_data(names).ok()??.bytes;
    let is_name = |at: &usize| *at == 0 || names[*at - 1] == 0;
    let offset = names
        .windows(name.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == name)
        .map(|(at, _)| at)
        .find(is_name)?;
    let symbols = image.section_data(symbols).ok()??.bytes;
    symbols.chunks_exact(SYMBOL_LEN).find_map(|symbol| {
        let name = u32::from_le_bytes(symbol[..4].try_into().ok()?);
        let value = u64::from_le_bytes(symbol[8..16].try_into().ok()?);
        (name as usize == offset && value != 0).then_some(value)
    })
}
