//! Split DWARF: `.dwo` files and packages of them (`.dwp`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use infrared_symbolize::{
    DebugSearch, Image, ImageId, Limits, ReadAt, Stats, Symbolized, Symbolizer, open_below,
};
use rustix::fs::{CWD, Mode, mkfifoat};

use crate::compare;
use crate::hostile::{PATIENCE, Random, spent};
use crate::programs::{Workshop, names, shown, source, symbolizer};

/// Compiler and flags, and the tool that packs what they make: that of binutils knows DWARF 4 only, that of LLVM 14
/// neither GCC's DWARF 4 nor compressed sections.
const BUILDS: [(&str, &str); 7] = [
    ("g++ -O2 -gdwarf-4", "dwp"),
    ("g++ -O2 -gdwarf-5", "llvm-dwp"),
    ("g++ -O1 -gdwarf-4 -no-pie -ffunction-sections", "dwp"),
    ("clang++ -O2 -gdwarf-4", "dwp"),
    ("clang++ -O2 -gdwarf-5", "llvm-dwp"),
    ("clang++ -O2 -gdwarf-5 -gz=zlib -fuse-ld=lld -ffunction-sections", "none"),
    ("clang++ -O1 -gdwarf-5 -fsplit-dwarf-inlining", "llvm-dwp"),
];

/// Builds two units, so that a package has more than one.
fn build(workshop: &Workshop, command: &str) {
    let compiler = command.split(" -fuse-ld").next().expect("a command");
    for (object, language, name) in
        [("inlines", "", "inlines.cpp"), ("plain", "-x c -Dmain=other_main", "plain.c")]
    {
        let source = source(name);
        let source = source.display();
        workshop.run(&format!("{compiler} -gsplit-dwarf -c -o {object}.o {language} {source}"));
    }
    workshop.run(&format!("{command} -gsplit-dwarf -o program inlines.o plain.o"));
}

/// How many addresses have inlined calls.
fn agrees(what: &str, program: &Path) -> usize {
    let svmas = compare::spread(program, 3000).expect("addresses");
    let mut symbolizer = symbolizer();
    let result = compare::compare(&mut symbolizer, program, &svmas).expect("a comparison");
    let example = result.different.first().or(result.other_lines.first());
    assert!(result.names_percent() >= 99.9, "{what}: {} {example:x?}", result.names_percent());
    assert!(result.lines_percent() >= 99.9, "{what}: {} {example:x?}", result.lines_percent());
    let Stats { split_refused, split_over_budget, source_errors, .. } = symbolizer.stats();
    assert_eq!((split_refused, split_over_budget, source_errors), (0, 0, 0), "{what}");
    result.inlined
}

#[test]
fn split_debug_information_gives_llvms_names() {
    let workshop = Workshop::new();
    for (command, packer) in BUILDS {
        build(&workshop, command);
        let program = workshop.path("program");
        let inlined = agrees(command, &program);
        assert!(inlined >= 200, "{command}: only {inlined} inlined");
        if packer == "none" {
            continue;
        }
        workshop.run(&format!("{packer} -e program -o program.dwp"));
        for name in ["inlines.dwo", "plain.dwo"] {
            fs::remove_file(workshop.path(name)).expect("removed");
        }
        let packed = agrees(&format!("{command}, {packer}"), &program);
        assert_eq!(packed, inlined, "{command}, {packer}");
        fs::remove_file(workshop.path("program.dwp")).expect("removed");
    }
}

/// The names of a process that has `root` as its root directory and runs `binary`, and what was counted.
fn in_root(root: &Path, binary: &str, svmas: &[u64]) -> (Vec<Symbolized>, Stats) {
    let below = root.join(binary.trim_start_matches('/'));
    let search = DebugSearch {
        binary: PathBuf::from(binary),
        root: root.to_owned(),
        global: vec![root.join("global")],
        open: open_below,
    };
    let id = ImageId::BuildId(Arc::from("a program"));
    let open = || Ok(Box::new(fs::File::open(&below)?) as Box<dyn ReadAt>);
    let mut symbolizer = symbolizer();
    let named = symbolizer.symbolize(&Image { id: &id, open: &open, search: &search }, svmas);
    (named, symbolizer.stats())
}

fn inlined(named: &[Symbolized]) -> usize {
    named.iter().filter(|s| s.lines.len() > 1).count()
}

#[test]
fn a_dwo_file_is_found_in_the_root_of_the_process_as_recorded_or_where_debug_files_are() {
    let workshop = Workshop::new();
    let here = workshop.path("");
    let source = source("inlines.cpp");
    let (here, source) = (here.to_string_lossy(), source.display());
    let here = here.trim_end_matches('/');
    // The compiler runs in the workshop, and records /build.
    workshop.run(&format!(
        "g++ -O2 -g -fdebug-prefix-map={here}=/build -gsplit-dwarf -c -o code.o {source}"
    ));
    workshop.run("g++ -o program code.o");
    workshop.run("llvm-dwp code.dwo -o program.dwp");
    let svmas = compare::spread(&workshop.path("program"), 1000).expect("addresses");
    let want = names(&workshop.path("program"), &svmas);
    assert!(inlined(&want) > 200, "only {} inlined", inlined(&want));
    let want = shown(&want);
    let places = [
        ("code.dwo", "build/code.dwo"),
        ("code.dwo", "bin/code.dwo"),
        ("code.dwo", "bin/.debug/code.dwo"),
        ("code.dwo", "usr/lib/debug/bin/code.dwo"),
        ("code.dwo", "global/bin/code.dwo"),
        ("program.dwp", "bin/program.dwp"),
        ("program.dwp", "usr/lib/debug/bin/program.dwp"),
        ("program.dwp", "global/bin/program.dwp"),
    ];
    for (number, (file, place)) in places.into_iter().enumerate() {
        let root = workshop.path(&format!("root{number}"));
        fs::create_dir_all(root.join("bin")).expect("a directory");
        fs::create_dir_all(root.join(place).parent().expect("a directory")).expect("a directory");
        fs::copy(workshop.path("program"), root.join("bin/program")).expect("copied");
        let (none, stats) = in_root(&root, "/bin/program", &svmas);
        assert_eq!((inlined(&none), stats.split_refused), (0, 0), "{place}");
        assert!(none.iter().any(|s| s.lines[0].line > 0), "lines are with the program");
        fs::copy(workshop.path(file), root.join(place)).expect("copied");
        let (named, stats) = in_root(&root, "/bin/program", &svmas);
        assert_eq!(shown(&named), want, "{place}");
        assert_eq!(stats.split_refused, 0, "{place}");
    }
}

#[test]
fn a_separate_debug_file_leads_to_split_debug_information() {
    let workshop = Workshop::new();
    build(&workshop, "clang++ -O2 -gdwarf-5");
    let svmas = compare::spread(&workshop.path("program"), 1000).expect("addresses");
    let want = inlined(&names(&workshop.path("program"), &svmas));
    workshop.run("llvm-dwp -e program -o other.debug.dwp");
    workshop.run("objcopy --only-keep-debug program other.debug");
    workshop.run("objcopy --strip-all --add-gnu-debuglink=other.debug program other");
    assert_eq!(inlined(&names(&workshop.path("other"), &svmas)), want);
    fs::remove_file(workshop.path("inlines.dwo")).expect("removed");
    assert_eq!(inlined(&names(&workshop.path("other"), &svmas)), want);
    fs::remove_file(workshop.path("other.debug.dwp")).expect("removed");
    assert!(inlined(&names(&workshop.path("other"), &svmas)) * 10 < want);
}

#[test]
fn a_program_optimised_as_a_whole_has_the_names_that_it_has_without_splitting() {
    let workshop = Workshop::new();
    let first =
        "int inner(int); int outer(int a) { int s = 0; while (a--) s += inner(a); return s; }";
    let second = "int outer(int); int inner(int x) { return x % 7 ? x * x : x << 3; }
        int main(int c, char **v) { return outer(c) + outer(c + 2) + inner(3); }";
    fs::write(workshop.path("first.cpp"), first).expect("written");
    fs::write(workshop.path("second.cpp"), second).expect("written");
    let command = "clang++ -flto -O2 -g -fuse-ld=lld first.cpp second.cpp -o";
    workshop.run(&format!("{command} whole"));
    workshop.run(&format!("{command} program -gsplit-dwarf -Wl,-plugin-opt=dwo_dir=dwo"));
    let svmas = compare::spread(&workshop.path("program"), 500).expect("addresses");
    let named = names(&workshop.path("program"), &svmas);
    let called = |s: &Symbolized| s.lines.iter().map(|l| l.function.to_string()).collect();
    let chains: Vec<Vec<String>> = named.iter().map(called).collect();
    assert!(
        chains.iter().any(|chain| *chain == ["inner(int)", "outer(int)", "main"]),
        "{chains:?}"
    );
    let whole = shown(&names(&workshop.path("whole"), &svmas));
    let of_code = |line: &&String| line.contains(".cpp:");
    let got = shown(&named);
    let (got, want): (Vec<_>, Vec<_>) =
        (got.iter().filter(of_code).collect(), whole.iter().filter(of_code).collect());
    assert!(got.len() > 20 && got == want, "{got:?} {want:?}");
}

#[test]
fn a_file_of_another_build_is_refused_and_counted() {
    let workshop = Workshop::new();
    for (version, packer) in [("4", "dwp"), ("5", "llvm-dwp")] {
        let command = format!("clang++ -O2 -gdwarf-{version}");
        build(&workshop, &format!("{command} -DOTHER_BUILD -O1"));
        workshop.run(&format!("{packer} -e program -o other.dwp"));
        workshop.run("cp inlines.dwo other.dwo");
        build(&workshop, &command);
        let svmas = compare::spread(&workshop.path("program"), 1000).expect("addresses");
        assert!(inlined(&names(&workshop.path("program"), &svmas)) > 200);
        workshop.run("mv other.dwo inlines.dwo");
        workshop.run("mv other.dwp program.dwp");
        let mut symbolizer = symbolizer();
        let named = compare::ours(&mut symbolizer, &workshop.path("program"), &svmas);
        let named = named.expect("answers");
        let of = |name: &str| named.iter().filter(|s| s.lines[0].file.ends_with(name)).count();
        assert!(of("inlines.cpp") > 10, "lines are the program's own");
        let parse =
            |s: &&Symbolized| s.lines.last().is_some_and(|l| l.function.starts_with("shop::"));
        let mut shop = named.iter().filter(parse);
        assert!(shop.all(|s| s.lines.len() == 1), "DWARF {version}");
        assert!(symbolizer.stats().split_refused >= 1, "DWARF {version}: {:?}", symbolizer.stats());
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_opened() {
    let workshop = Workshop::new();
    build(&workshop, "g++ -O2 -g");
    let svmas = compare::spread(&workshop.path("program"), 200).expect("addresses");
    for name in ["inlines.dwo", "program.dwp"] {
        drop(fs::remove_file(workshop.path(name)));
        mkfifoat(CWD, workshop.path(name), Mode::RUSR).expect("a pipe");
    }
    let named = names(&workshop.path("program"), &svmas);
    assert!(named.iter().any(|s| s.lines.last().is_some_and(|l| l.function.starts_with("shop::"))));
}

#[test]
fn corrupted_split_debug_information_is_never_a_reason_to_panic() {
    let workshop = Workshop::new();
    let start = spent(Duration::ZERO);
    let mut random = Random(5);
    for (command, packer) in [("clang++ -O2 -gdwarf-4", "dwp"), ("g++ -O2 -gdwarf-5", "llvm-dwp")] {
        build(&workshop, command);
        let svmas = compare::spread(&workshop.path("program"), 40).expect("addresses");
        workshop.run(&format!("{packer} -e program -o packed"));
        for (whole, name) in [("inlines.dwo", "inlines.dwo"), ("packed", "program.dwp")] {
            let whole = fs::read(workshop.path(whole)).expect("built");
            for round in 0..60 {
                let mut bytes = whole.clone();
                for _ in 0..=random.next(40) {
                    // Headers and tables are at both ends.
                    let reach = if round % 3 == 0 { bytes.len() } else { 4096 };
                    let at = random.next(reach);
                    let at = if round % 3 == 1 { bytes.len() - 1 - at } else { at };
                    bytes[at] = [0, 0xff, 0x80, 0x7f, random.next(256) as u8][random.next(5)];
                }
                let len = if round % 5 == 0 { random.next(bytes.len()) } else { bytes.len() };
                fs::write(workshop.path(name), &bytes[..len]).expect("written");
                assert_eq!(names(&workshop.path("program"), &svmas).len(), svmas.len());
            }
        }
        drop(fs::remove_file(workshop.path("program.dwp")));
    }
    assert!(spent(start) < PATIENCE, "{:?}", spent(start));
}

/// Skeletons, each with an id and an address of its own, that all name `file`: `.debug_info` and `.debug_abbrev`.
fn skeletons(count: u64, file: &str) -> (Vec<u8>, Vec<u8>) {
    // a skeleton unit without children: low_pc, high_pc as a length, dwo_name as a string
    let abbreviations = vec![1, 0x4a, 0, 0x11, 0x01, 0x12, 0x0b, 0x76, 0x08, 0, 0, 0];
    let mut info = Vec::new();
    for number in 0..count {
        // version 5, DW_UT_skeleton, addresses of 8 bytes, the first abbreviation
        let mut unit = vec![5, 0, 4, 8, 0, 0, 0, 0];
        unit.extend_from_slice(&(number + 1).to_le_bytes());
        unit.push(1);
        unit.extend_from_slice(&(0x10_0000 + number * 16).to_le_bytes());
        unit.push(16);
        unit.extend_from_slice(file.as_bytes());
        unit.push(0);
        info.extend_from_slice(&(unit.len() as u32).to_le_bytes());
        info.extend_from_slice(&unit);
    }
    (info, abbreviations)
}

#[test]
fn files_beyond_the_limit_are_not_opened_but_counted() {
    const OPENED: u64 = 4096;
    let workshop = Workshop::new();
    workshop.run(&format!("gcc -O2 -o plain {}", source("plain.c").display()));
    let (info, abbreviations) = skeletons(OPENED + 500, "plain");
    fs::write(workshop.path("info"), info).expect("written");
    fs::write(workshop.path("abbreviations"), abbreviations).expect("written");
    workshop.run("objcopy --add-section=.debug_info=info --add-section=.debug_abbrev=abbreviations plain program");
    let svmas: Vec<u64> = (0..OPENED + 500).map(|number| 0x10_0000 + number * 16).collect();
    let mut symbolizer = Symbolizer::new(Limits::default());
    let named = compare::ours(&mut symbolizer, &workshop.path("program"), &svmas);
    assert_eq!(named.expect("answers").len(), svmas.len());
    let stats = symbolizer.stats();
    // There are more places where the last of those that were opened could be.
    assert_eq!((stats.split_refused, stats.split_over_budget), (OPENED, 501), "{stats:?}");
}
