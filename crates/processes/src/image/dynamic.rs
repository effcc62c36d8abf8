//! `.dynamic` of an image that was copied from memory: the dynamic loader of glibc has added the bias to the addresses in it
//! (`elf_get_dynamic_info`). They are stated again as in the file.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::headers::{ByteSource, ElfClass, ElfHeaders};
use crate::maps::Mapping;

/// Linkers write some thirty entries.
const MOST_ENTRIES: usize = 1024;
const ENTRY: usize = 16;
/// `DT_NULL`, the end.
const END: u64 = 0;
/// Tags of 64-bit ELF whose values are addresses of tables: `DT_PLTGOT`, `DT_HASH`, `DT_STRTAB`, `DT_SYMTAB`, `DT_RELA`,
/// `DT_REL`, `DT_JMPREL`, `DT_GNU_HASH`, `DT_RELR`, `DT_VERSYM`, `DT_VERDEF`, `DT_VERNEED`.
const OF_TABLES: [u64; 12] =
    [3, 4, 5, 6, 7, 17, 23, 36, 0x6fff_fef5, 0x6fff_fff0, 0x6fff_fffc, 0x6fff_fffe];

/// Takes the bias out. `mapping` is one of the image.
pub(super) fn restate(copy: &File, mapping: &Mapping) -> Option<()> {
    let headers = ElfHeaders::read(copy).ok().filter(|it| it.class == ElfClass::Bits64)?;
    let bias = headers.segments.svma_bias_of_any(mapping).filter(|bias| *bias != 0)?;
    let place = headers.dynamic.clone()?;
    let stated =
        |svma: u64| {
            headers.segments.0.iter().any(|load| {
                svma.checked_sub(load.svma).is_some_and(|within| within < load.file_size)
            })
        };
    let size = usize::try_from(place.end - place.start).ok()?.min(MOST_ENTRIES * ENTRY);
    let mut entries = vec![0; size];
    let length = ByteSource::read_at(copy, place.start, &mut entries).ok()?;
    for entry in entries[..length].as_chunks_mut::<ENTRY>().0 {
        let (tag, value) = entry.split_at_mut(8);
        let tag = u64::from_ne_bytes(tag.try_into().ok()?);
        let address = u64::from_ne_bytes((&*value).try_into().ok()?);
        if tag == END {
            break;
        }
        let without = address.wrapping_sub(bias);
        if OF_TABLES.contains(&tag) && !stated(address) && stated(without) {
            value.copy_from_slice(&without.to_ne_bytes());
        }
    }
    copy.write_all_at(&entries[..length], place.start).ok()
}
