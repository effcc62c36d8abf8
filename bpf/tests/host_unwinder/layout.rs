//! A process and its executables as the driver takes them: tables in slabs.

use infrared_abi::{IR_PROCESS_KNOWN, IR_SLAB_ROWS, ir_page, ir_page_key, ir_process, ir_row};
use infrared_unwind::CompactTable;

use crate::{
    driver::Environment,
    support::{images::Images, mappings::Mapping},
    tracee::Tracee,
};

/// What the kernel side would know of the tracee.
pub(crate) fn environment(
    images: &mut Images,
    tracee: &Tracee,
    mappings: &[Mapping],
) -> Environment {
    let mappings =
        images.kernel_mappings(mappings, &|address, length| tracee.read(address, length));
    let count = mappings.len() as u32;
    let process = ir_process { state: IR_PROCESS_KNOWN, count, ..Default::default() };
    let mut environment = Environment { process, ..Default::default() };
    for (image, table) in images.shown(&mappings) {
        load(&mut environment, image, table);
    }
    environment.mappings = mappings;
    environment
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
