use super::*;
use crate::{Pid, ProcFs};
use proptest::prelude::*;
use std::fmt::Write;

const PREFIX: &str = "55d0c0000000-55d0c0002000 r-xp 00001000 fe:01 1234 ";

fn parse_name(name: &[u8]) -> Mapping {
    let line = [PREFIX.as_bytes(), name].concat();
    MappingRef::parse(&line).unwrap().to_mapping()
}

#[test]
fn every_field_of_a_line_is_read() {
    let line = b"7f00deadb000-7f00deadc000 r-xs 0010f000 103:0a 18446744073709551615    /a b";
    let mapping = MappingRef::parse(line).unwrap();
    assert_eq!((mapping.start, mapping.end), (0x7f00_dead_b000, 0x7f00_dead_c000));
    assert_eq!(mapping.permissions.flags, *b"r-xs");
    assert_eq!(mapping.file_offset, 0x10_f000);
    assert_eq!(mapping.device, Device { major: 0x103, minor: 0x0a });
    assert_eq!(mapping.inode, u64::MAX);
    assert_eq!(mapping.raw_name, b"/a b");
}

#[test]
fn the_name_tells_the_kind() {
    use MappingKind::{Anonymous, DeletedFile, File, Memfd, Special, Vdso, Vsyscall};
    let table: &[(&str, MappingKind, &str, &str)] = &[
        ("/usr/lib/libc.so.6", File, "/usr/lib/libc.so.6", "libc.so.6"),
        ("/opt/app (deleted)", DeletedFile, "/opt/app", "app"),
        ("/memfd:jit code (deleted)", Memfd, "/memfd:jit code", "memfd:jit code"),
        ("/memfd:but a real file", File, "/memfd:but a real file", "memfd:but a real file"),
        ("/with\\012newline", File, "/with\nnewline", "with\nnewline"),
        ("/back\\slash\\0123", File, "/back\\slash\n3", "back\\slash\n3"),
        ("/trailing\\01", File, "/trailing\\01", "trailing\\01"),
        ("/[vdso]", File, "/[vdso]", "[vdso]"),
        ("", Anonymous, "", "[anon]"),
        ("//anon", Anonymous, "//anon", "//anon"),
        ("/dev/zero (deleted)", Anonymous, "/dev/zero (deleted)", "/dev/zero (deleted)"),
        (
            "/SYSV00000000 (deleted)",
            Anonymous,
            "/SYSV00000000 (deleted)",
            "/SYSV00000000 (deleted)",
        ),
        ("[heap]", Anonymous, "[heap]", "[heap]"),
        ("[stack]", Anonymous, "[stack]", "[stack]"),
        ("[stack:17]", Anonymous, "[stack:17]", "[stack:17]"),
        ("[anon:v8]", Anonymous, "[anon:v8]", "[anon:v8]"),
        ("[anon_shmem:jit]", Anonymous, "[anon_shmem:jit]", "[anon_shmem:jit]"),
        ("[vdso]", Vdso, "[vdso]", "[vdso]"),
        ("[vsyscall]", Vsyscall, "[vsyscall]", "[vsyscall]"),
        ("[vvar]", Special, "[vvar]", "[vvar]"),
        ("[uprobes]", Special, "[uprobes]", "[uprobes]"),
        ("anon_inode:[perf_event]", Special, "anon_inode:[perf_event]", "anon_inode:[perf_event]"),
    ];
    for (raw, kind, name, shown) in table {
        let mapping = parse_name(raw.as_bytes());
        assert_eq!(mapping.kind, *kind, "{raw}");
        assert_eq!(mapping.name.as_ref(), name.as_bytes(), "{raw}");
        assert_eq!(mapping.display_name(), *shown, "{raw}");
    }
}

#[test]
fn lines_that_are_no_mapping_are_refused() {
    for line in [
        "",
        "garbage",
        "55-54 r-xp 0 0:0 0",
        "55-55 r-xp 0 0:0 0",
        "1-2 r-xp 0 0:0 99999999999999999999",
        "11111111111111111-2 r-xp 0 0:0 0",
        "1-2 r-x 0 0:0 0",
        "1-2 r-xp 0 00 0",
        "1-2 r-xp 0 1ffffffff:0 0",
        "-2 r-xp 0 0:0 0",
    ] {
        assert_eq!(MappingRef::parse(line.as_bytes()), None, "{line}");
    }
}

fn tree_with_maps(content: &[u8]) -> (tempfile::TempDir, ProcessDir) {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("7");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("maps"), content).unwrap();
    let process = ProcFs::at(root.path()).process(Pid(7)).unwrap();
    (root, process)
}

#[test]
fn a_process_that_maps_without_end_is_cut_and_says_so() {
    let mut content = String::new();
    for index in 0..1000_u64 {
        let flags = if index % 2 == 0 { "r-xp" } else { "rw-p" };
        let start = 0x1000 * (index + 1);
        let end = start + 0x1000;
        writeln!(content, "{start:x}-{end:x} {flags} 00000000 00:00 0 ").unwrap();
    }
    let (_root, process) = tree_with_maps(content.as_bytes());
    for (executable, scanned, expected, is_cut) in [
        (10_000, 10_000, 500, false),
        (500, 1000, 500, false),
        (499, 10_000, 499, true),
        (10_000, 100, 50, true),
        (0, 10_000, 0, true),
    ] {
        let limits = MapLimits { executable, scanned };
        let found = process.executable_mappings(limits).unwrap();
        assert_eq!((found.mappings.len(), found.is_cut), (expected, is_cut), "{limits:?}");
        assert_eq!(found.malformed_lines, 0);
    }
}

#[test]
fn an_endless_name_costs_its_end_and_not_the_mapping() {
    let mut content = PREFIX.as_bytes().to_vec();
    content.push(b'/');
    content.resize(LONGEST_LINE * 3, b'x');
    content.extend_from_slice(b"\n60d0c0000000-60d0c0001000 --xp 00000000 00:00 0 \n");
    let (_root, process) = tree_with_maps(&content);
    let found = process.executable_mappings(MapLimits::default()).unwrap();
    assert_eq!(found.mappings.len(), 2);
    assert_eq!(found.mappings[0].inode, 1234);
    assert_eq!(found.mappings[1].start, 0x60d0_c000_0000);
}

#[test]
fn an_address_is_found_in_its_mapping_and_nowhere_else() {
    let (_root, process) = tree_with_maps(
        b"1000-2000 r-xp 0 0:0 0\n2000-3000 rw-p 0 0:0 0\n3000-5000 r-xp 0 0:0 0 [vdso]\n",
    );
    let found = process.executable_mappings(MapLimits::default()).unwrap();
    for (avma, start) in [
        (0, None),
        (0xfff, None),
        (0x1000, Some(0x1000)),
        (0x1fff, Some(0x1000)),
        (0x2000, None),
        (0x4fff, Some(0x3000)),
        (0x5000, None),
        (u64::MAX, None),
    ] {
        assert_eq!(found.find(avma).map(|mapping| mapping.start), start, "{avma:#x}");
    }
}

#[test]
fn this_process_has_its_own_code_and_a_vdso() {
    let process = ProcFs::system().process(Pid(std::process::id())).unwrap();
    let found = process.executable_mappings(MapLimits::default()).unwrap();
    assert!(!found.is_cut);
    assert_eq!(found.malformed_lines, 0);
    let here = this_process_has_its_own_code_and_a_vdso as fn() as usize as u64;
    let exe = std::env::current_exe().unwrap();
    assert_eq!(found.find(here).unwrap().path(), Some(exe.as_path()));
    assert!(found.mappings.iter().any(|mapping| mapping.kind == MappingKind::Vdso));
    assert!(found.mappings.is_sorted_by_key(|mapping| mapping.start));
}

proptest! {
    #[test]
    fn no_line_makes_the_parser_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(mapping) = MappingRef::parse(&line) {
            prop_assert!(mapping.start < mapping.end);
            mapping.to_mapping();
        }
    }

    #[test]
    fn no_name_disturbs_the_other_fields(name in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mapping = parse_name(&name);
        prop_assert_eq!(mapping.start, 0x55d0_c000_0000);
        prop_assert_eq!(mapping.inode, 1234);
        prop_assert!(mapping.name.len() <= name.len());
    }
}
