//! Real executables: their unwind tables, and where a process maps them.

use std::{collections::HashMap, fs};

use infrared_abi::{IR_IMAGE_FIRST, IR_IMAGE_NONE, ir_mapping};
use infrared_unwind::{CompactTable, Options};
use object::{Object, ObjectSegment};

use super::mappings::Mapping;

/// Bytes of a process at an address.
pub(crate) type ReadMemory<'a> = &'a dyn Fn(u64, usize) -> Vec<u8>;

/// A loaded segment: file offset, length in the file, stated address.
type Segment = (u64, u64, u64);

#[derive(Debug)]
struct Image {
    table: CompactTable,
    segments: Vec<Segment>,
}

/// Executables seen so far; an image's id is its index above `IR_IMAGE_FIRST`.
#[derive(Debug, Default)]
pub(crate) struct Images {
    images: Vec<Image>,
    ids: HashMap<String, u32>,
}

impl Images {
    fn id(&mut self, mapping: &Mapping, read: ReadMemory<'_>) -> Option<u32> {
        if let Some(id) = self.ids.get(&mapping.path) {
            return Some(*id);
        }
        let bytes = if mapping.path == "[vdso]" {
            read(mapping.start, (mapping.end - mapping.start) as usize)
        } else {
            fs::read(&mapping.path).ok()?
        };
        let file = object::File::parse(&*bytes).unwrap();
        let segments = file.segments().map(|segment| {
            let (offset, length) = segment.file_range();
            (offset, length, segment.address())
        });
        let segments = segments.collect();
        let table = infrared_unwind::build(&*bytes, &Options::default()).unwrap();
        let id = IR_IMAGE_FIRST + self.images.len() as u32;
        self.images.push(Image { table, segments });
        self.ids.insert(mapping.path.clone(), id);
        Some(id)
    }

    fn kernel_mapping(&mut self, mapping: &Mapping, read: ReadMemory<'_>) -> ir_mapping {
        let (start, end) = (mapping.start, mapping.end);
        let Some(image) = self.id(mapping, read) else {
            return ir_mapping { start, end, bias: 0, image: IR_IMAGE_NONE, reserved: 0 };
        };
        let segments = &self.images[(image - IR_IMAGE_FIRST) as usize].segments;
        let (offset, _, svma) = segments
            .iter()
            .find(|(offset, length, _)| {
                mapping.offset >= offset & !0xfff && mapping.offset < offset + length
            })
            .expect("a mapping shows a segment");
        // bias = runtime address - stated address
        let stated = svma.wrapping_add(mapping.offset).wrapping_sub(*offset);
        ir_mapping { start, end, bias: start.wrapping_sub(stated), image, reserved: 0 }
    }

    /// The executable mappings of a process, as the kernel side shall see them. `read` reads the process's memory.
    pub(crate) fn kernel_mappings(
        &mut self,
        mappings: &[Mapping],
        read: ReadMemory<'_>,
    ) -> Vec<ir_mapping> {
        let executable = mappings.iter().filter(|m| m.executable && m.path != "[vsyscall]");
        executable.map(|m| self.kernel_mapping(m, read)).collect()
    }

    /// (id, table) of the images that `mappings` show, each once.
    pub(crate) fn shown(&self, mappings: &[ir_mapping]) -> Vec<(u32, &CompactTable)> {
        let mut ids: Vec<_> = mappings.iter().map(|mapping| mapping.image).collect();
        ids.sort_unstable();
        ids.dedup();
        let known = ids.into_iter().filter(|image| *image >= IR_IMAGE_FIRST);
        known.map(|id| (id, &self.images[(id - IR_IMAGE_FIRST) as usize].table)).collect()
    }
}
