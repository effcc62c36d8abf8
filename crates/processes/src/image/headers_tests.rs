use std::path::{Path, PathBuf};

use super::*;
use object::{Object, ObjectSegment, SegmentFlags};
use proptest::prelude::*;

/// The ELF files directly in the system's program and library directories.
fn elf_files() -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for directory in ["/usr/bin", "/usr/sbin", "/usr/lib/x86_64-linux-gnu", "/usr/lib32"] {
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let Ok(metadata) = path.metadata() else { continue };
            if metadata.is_file() && metadata.len() < 8 << 20 {
                let bytes = std::fs::read(&path).unwrap();
                if bytes.starts_with(b"\x7fELF") {
                    files.push((path, bytes));
                }
            }
        }
    }
    files
}

fn check_against_object(path: &Path, bytes: &[u8]) {
    let reference = object::File::parse(bytes).unwrap();
    let headers = ElfHeaders::read(bytes).unwrap();
    assert_eq!(headers.class == ElfClass::Bits64, reference.is_64(), "{}", path.display());
    assert_eq!(headers.entry_svma, reference.entry(), "{}", path.display());
    assert_eq!(
        headers.build_id.as_ref().map(BuildId::as_bytes),
        reference.build_id().unwrap(),
        "{}",
        path.display()
    );
    let expected: Vec<LoadSegment> = reference
        .segments()
        .map(|segment| {
            let SegmentFlags::Elf { p_flags } = segment.flags() else { panic!("not ELF") };
            let (file_offset, file_size) = segment.file_range();
            LoadSegment {
                file_offset,
                svma: segment.address(),
                file_size,
                memory_size: segment.size(),
                is_executable: p_flags & object::elf::PF_X != 0,
            }
        })
        .collect();
    assert_eq!(headers.segments.0, expected, "{}", path.display());
}

#[test]
fn headers_and_build_ids_of_all_programs_equal_what_object_reads() {
    let files = elf_files();
    assert!(files.len() > 100, "only {} ELF files on this machine", files.len());
    for (path, bytes) in &files {
        check_against_object(path, bytes);
    }
}

#[test]
fn a_file_and_its_bytes_read_the_same() {
    let path = std::env::current_exe().unwrap();
    let from_file = ElfHeaders::read(&File::open(&path).unwrap()).unwrap();
    assert_eq!(from_file, ElfHeaders::read(&std::fs::read(&path).unwrap()[..]).unwrap());
    assert!(from_file.has_interpreter);
    assert_eq!(
        from_file.machine,
        if cfg!(target_arch = "x86_64") { Machine::X86_64 } else { Machine::AARCH64 }
    );
}

fn own_start() -> Vec<u8> {
    let mut bytes = vec![0; 8192];
    let exe = File::open(std::env::current_exe().unwrap()).unwrap();
    let length = ByteSource::read_at(&exe, 0, &mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

#[test]
fn bad_files_get_a_clear_error() {
    let good = own_start();
    let patched = |at: usize, new: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        bytes
    };
    let table: &[(&[u8], &str)] = &[
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n", "not an ELF file"),
        (b"\x7fELF", "malformed ELF file: the file header is cut"),
        (&good[..40], "malformed ELF file: the file header is cut"),
        (&good[..100], "malformed ELF file: the program headers reach past the end"),
        (&patched(5, &[2]), "unsupported ELF file: big-endian"),
        (&patched(4, &[3]), "unsupported ELF file: class or version"),
        (&patched(54, &[1, 0]), "malformed ELF file: the size of a program header is wrong"),
        (&patched(56, &[0xff, 0xff]), "unsupported ELF file: too many program headers"),
        (&patched(32, &[0xff; 8]), "malformed ELF file: the program headers reach past the end"),
    ];
    for (bytes, message) in table {
        assert_eq!(ElfHeaders::read(*bytes).unwrap_err().to_string(), *message);
    }
}

#[test]
fn an_offset_that_no_file_can_have_is_behind_the_end() {
    let exe = File::open(std::env::current_exe().unwrap()).unwrap();
    for offset in [u64::MAX, u64::MAX / 2 + 1, u64::MAX / 2] {
        assert_eq!(ByteSource::read_at(&exe, offset, &mut [0; 16]).unwrap(), 0, "{offset:#x}");
    }
}

proptest! {
    #[test]
    fn no_corruption_makes_the_reader_panic(
        changes in proptest::collection::vec((0_usize..1024, any::<u8>()), 1..40),
        length in 0_usize..8192,
    ) {
        let mut bytes = own_start();
        bytes.truncate(length);
        for (at, byte) in changes {
            if let Some(target) = bytes.get_mut(at) {
                *target = byte;
            }
        }
        if let Ok(headers) = ElfHeaders::read(&bytes[..]) {
            prop_assert!(headers.segments.0.len() <= MOST_PROGRAM_HEADERS);
        }
    }
}
