//! What is read from a Go program's code equals what its debug information says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use gimli::LittleEndian;
use infrared_profile::FrameKind;
use infrared_runtimes::{ImageFacts, Mapped, detect, states};
use infrared_unwind::{Options, Plan};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSegment as _};

type Image<'d> = ElfFile64<'d, object::LittleEndian, &'d [u8]>;

const PROGRAM: &str = "package main\n\nfunc main() { println(\"done\") }\n";

fn compile(directory: &Path) -> Vec<u8> {
    let (source, output) = (directory.join("main.go"), directory.join("main"));
    std::fs::write(&source, PROGRAM).unwrap();
    let status = Command::new("go")
        .args(["build", "-o"])
        .args([&output, &source])
        .env("GOFLAGS", "-buildvcs=false")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .status()
        .expect("the Go toolchain is needed");
    assert!(status.success());
    std::fs::read(output).unwrap()
}

#[test]
fn the_state_that_the_code_shows_is_that_of_the_debug_information() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = compile(directory.path());
    let image = Image::parse(bytes.as_slice()).unwrap();
    let plan = Plan::open(bytes.as_slice(), &Options::default()).unwrap();
    let read = |svma: u64, buffer: &mut [u8]| {
        let length = buffer.len() as u64;
        let has = |segment: &object::read::elf::ElfSegment64<'_, '_, _, _>| {
            segment.data_range(svma, length).ok().flatten().map(<[u8]>::to_vec)
        };
        let code = image.segments().find_map(|segment| has(&segment)).unwrap();
        buffer.copy_from_slice(&code);
        code.len()
    };
    let found = detect(&ImageFacts { go: plan.go(), symbols: &[], path: "", read: &read });
    let text = image.section_by_name(".text").unwrap();
    assert_eq!(found[0].frame_kind(text.address()), Some(FrameKind::Go));
    let go = states(found.iter().map(|found| (found, Mapped { bias: 0 })), &[]).unwrap().go;
    let member = |structure, member| member_offset(&image, structure, member);
    let sched = member("runtime.g", "sched");
    assert_eq!(u64::from(go.g_m), member("runtime.g", "m"));
    assert_eq!(u64::from(go.m_curg), member("runtime.m", "curg"));
    assert_eq!(u64::from(go.g_sched_sp), sched + member("runtime.gobuf", "sp"));
    assert_eq!(u64::from(go.g_sched_pc), sched + member("runtime.gobuf", "pc"));
    assert_eq!(u64::from(go.g_sched_bp), sched + member("runtime.gobuf", "bp"));
    assert_eq!((go.g_tls_offset, go.present), (-8, 1));
}

fn member_offset(image: &Image<'_>, structure: &str, member: &str) -> u64 {
    let load = |id: gimli::SectionId| -> Result<Vec<u8>, gimli::Error> {
        let section = image.section_by_name(id.name());
        Ok(section
            .map_or_else(Vec::new, |section| section.uncompressed_data().unwrap().into_owned()))
    };
    let sections = gimli::DwarfSections::load(load).unwrap();
    let dwarf = sections.borrow(|bytes| gimli::EndianSlice::new(bytes, LittleEndian));
    let mut units = dwarf.units();
    while let Some(header) = units.next().unwrap() {
        let unit = dwarf.unit(header).unwrap();
        let mut entries = unit.entries();
        let mut inside = false;
        while let Some(entry) = entries.next_dfs().unwrap() {
            let name = entry.attr_value(gimli::DW_AT_name);
            let name = name.and_then(|name| dwarf.attr_string(&unit, name).ok());
            let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if entry.tag() == gimli::DW_TAG_structure_type {
                inside = name == structure;
            } else if inside && entry.tag() == gimli::DW_TAG_member && name == member {
                let at = entry.attr_value(gimli::DW_AT_data_member_location).unwrap();
                return at.udata_value().unwrap();
            }
        }
    }
    panic!("no {structure}.{member}");
}
