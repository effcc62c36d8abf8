//! Real executables as the kernel side would have them: tables in slabs, and a process's mappings.

use std::{collections::HashMap, fs};

use infrared_abi::{
    IR_IMAGE_FIRST, IR_IMAGE_NONE, IR_PROCESS_KNOWN, IR_SLAB_ROWS, ir_mapping, ir_page,
    ir_page_key, ir_process, ir_row,
};
use infrared_unwind::{CompactTable, Options};
use object::{Object, ObjectSegment};

use crate::{
    driver::Environment,
    tracee::{Mapping, Tracee},
};

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
    fn id(&mut self, mapping: &Mapping, tracee: &Tracee) -> Option<u32> {
        if let Some(id) = self.ids.get(&mapping.path) {
            return Some(*id);
        }
        let bytes = if mapping.path == "[vdso]" {
            tracee.read(mapping.start, (mapping.end - mapping.start) as usize)
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

    fn kernel_mapping(&mut self, mapping: &Mapping, id: u32, tracee: &Tracee) -> ir_mapping {
        let (start, end) = (mapping.start, mapping.end);
        let Some(image) = self.id(mapping, tracee) else {
            return ir_mapping { start, end, bias: 0, image: IR_IMAGE_NONE, id };
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
        ir_mapping { start, end, bias: start.wrapping_sub(stated), image, id }
    }

    /// What the kernel side would know of the tracee.
    pub(crate) fn environment(&mut self, tracee: &Tracee, mappings: &[Mapping]) -> Environment {
        let executable = mappings.iter().filter(|m| m.executable && m.path != "[vsyscall]");
        let mappings: Vec<_> =
            (0..).zip(executable).map(|(id, m)| self.kernel_mapping(m, id, tracee)).collect();
        let process = ir_process {
            state: IR_PROCESS_KNOWN,
            count: mappings.len() as u32,
            ..Default::default()
        };
        let mut environment = Environment { process, mappings, ..Default::default() };
        let mut used: Vec<_> = environment.mappings.iter().map(|mapping| mapping.image).collect();
        used.sort_unstable();
        used.dedup();
        for image in used.into_iter().filter(|image| *image >= IR_IMAGE_FIRST) {
            let table = &self.images[(image - IR_IMAGE_FIRST) as usize].table;
            load(&mut environment, image, table);
        }
        environment
    }
}

fn load(environment: &mut Environment, image: u32, table: &CompactTable) {
    let first_rule = environment.rules.len() as u16;
    environment.rules.extend(table.rules.iter().map(|rule| rule.to_abi()));
    for page in &table.pages {
        let rows = table.rows_of(page);
        let has_room = |slab: &Vec<ir_row>| slab.len() + rows.len() <= IR_SLAB_ROWS as usize;
        if !environment.slabs.last().is_some_and(has_room) {
            environment.slabs.push(Vec::new());
        }
        let slab = environment.slabs.len() as u32 - 1;
        let target = environment.slabs.last_mut().unwrap();
        let first = target.len() as u32;
        target.extend(
            rows.iter()
                .map(|row| ir_row { address_low: row.address_low, rule: row.rule + first_rule }),
        );
        let key = ir_page_key { image, page: page.index };
        let value = ir_page { slab, first, count: rows.len() as u32, last_used: 0 };
        environment.pages.push((key, value));
    }
}
