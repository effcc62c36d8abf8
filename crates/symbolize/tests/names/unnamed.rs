//! What nothing names: `module+0xoffset`, of the function where its start is known.

use infrared_symbolize::Symbolized;

use crate::compare;
use crate::programs::{Workshop, names, source, symbolizer};

#[test]
fn what_has_no_name_is_module_and_offset_and_comes_from_the_cache_the_second_time() {
    let workshop = Workshop::new();
    workshop.run(&format!("gcc -O2 -o program {}", source("plain.c").display()));
    let mut symbolizer = symbolizer();
    let svmas = [0x7000_0000, 0x10];
    for _ in 0..2 {
        let named = compare::ours(&mut symbolizer, &workshop.path("program"), &svmas);
        let named = named.expect("the file is there");
        assert_eq!(&*named[0].lines[0].function, "program+0x70000000");
        assert!(named.iter().all(|s| s.unnamed && s.lines.len() == 1));
    }
    let stats = symbolizer.stats();
    assert_eq!((stats.hits, stats.misses, stats.unnamed), (2, 2, 2));
}

/// Address and size of each function of the program itself.
fn functions(symbols: &str) -> Vec<(u64, u64)> {
    const NAMES: [&str; 3] = ["shared_name", "compare", "main"];
    let function = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [address, size, _, name] = words[..] else { return None };
        let hex = |text| u64::from_str_radix(text, 16).ok();
        NAMES.contains(&name).then_some((hex(address)?, hex(size)?))
    };
    symbols.lines().filter_map(function).collect()
}

#[test]
fn a_stripped_function_goes_by_its_start() {
    let builds = [
        ("gcc -O2", true),
        ("gcc -O2 -no-pie -fcf-protection", true),
        ("clang -O2 -fuse-ld=lld", true),
        // Linked without a table to search by.
        ("gcc -O2 -static", false),
        ("gcc -O2 -Wl,--no-eh-frame-hdr", false),
    ];
    let workshop = Workshop::new();
    for (command, has_table) in builds {
        workshop.run(&format!("{command} -o program {}", source("plain.c").display()));
        let functions = functions(&workshop.output("nm -S program"));
        assert_eq!(functions.len(), 3, "{command}");
        workshop.run("strip program");
        let sections = workshop.output("readelf -SW program");
        assert_eq!(sections.contains(".eh_frame_hdr"), has_table, "{command}");
        for (start, size) in functions {
            let svmas = [start, start + size / 2, start + size - 1];
            let named = names(&workshop.path("program"), &svmas);
            let shown = |s: &Symbolized| (s.lines[0].function.to_string(), s.unnamed);
            let shown: Vec<_> = named.iter().map(shown).collect();
            assert_eq!(shown, vec![(format!("program+{start:#x}"), true); 3], "{command}");
        }
    }
}

#[test]
fn a_stripped_function_without_call_frame_information_is_shown_by_address() {
    let workshop = Workshop::new();
    let without = "-O2 -static -fno-asynchronous-unwind-tables -fno-unwind-tables";
    workshop.run(&format!("gcc {without} -o program {}", source("plain.c").display()));
    let functions = functions(&workshop.output("nm -S program"));
    workshop.run("strip program");
    let svmas: Vec<u64> = functions.iter().map(|(start, _)| start + 1).collect();
    for (named, svma) in names(&workshop.path("program"), &svmas).iter().zip(svmas) {
        assert_eq!(&*named.lines[0].function, format!("program+{svma:#x}"));
    }
}

#[test]
fn a_file_that_ends_within_its_last_segment_has_the_names_that_it_has_still() {
    let workshop = Workshop::new();
    let source = source("plain.c");
    workshop.run(&format!("gcc -O2 -rdynamic -Wl,-z,relro -o whole {}", source.display()));
    let functions = functions(&workshop.output("nm -S whole"));
    workshop.run("llvm-strip --strip-sections -o program whole");
    // As a copy from memory: what stays writable is not in it, and begins behind the dynamic section.
    let headers = workshop.output("readelf -lW whole");
    let relro = headers.lines().find(|line| line.contains("GNU_RELRO")).unwrap();
    let number = |at| u64::from_str_radix(&relro.split_whitespace().nth(at).unwrap()[2..], 16);
    let end = number(1).unwrap() + number(4).unwrap();
    let program = std::fs::File::options().write(true).open(workshop.path("program")).unwrap();
    assert!(end < program.metadata().unwrap().len());
    program.set_len(end).unwrap();
    let svmas: Vec<u64> = functions.iter().map(|(start, _)| start + 1).collect();
    let [whole, cut] = ["whole", "program"].map(|file| names(&workshop.path(file), &svmas));
    let name = |symbolized: &Symbolized| symbolized.lines[0].function.clone();
    for (whole, cut) in whole.iter().zip(&cut) {
        // The names of local functions were stripped.
        let is_stripped = cut.unnamed && &*name(whole) != "main";
        assert!(is_stripped || name(whole) == name(cut), "{whole:?} {cut:?}");
    }
}

/// What an assembler makes of labels: an exported one without a size, and local functions behind it.
const LABELS: &str = "
.text
.globl exported
exported:
    nop
    ret
.p2align 8
hidden:
    DESCRIBE
    nop
inside:
    nop
    ret
    END
.globl sized
.type sized, @function
sized:
    nop
    nop
    ret
.size sized, . - sized
.section .note.GNU-stack,\"\",@progbits
";

#[test]
fn a_label_without_a_size_names_its_own_function_and_nothing_behind_it() {
    for (describe, end) in [(".cfi_startproc", ".cfi_endproc"), ("", "")] {
        let workshop = Workshop::new();
        let text = LABELS.replace("DESCRIBE", describe).replace("END", end);
        std::fs::write(workshop.path("labels.s"), text).unwrap();
        workshop.run("gcc -shared -nostdlib -o labels.so labels.s");
        let symbols = workshop.output("nm labels.so");
        let address = |name: &str| {
            let line = symbols.lines().find(|line| line.ends_with(&format!(" {name}"))).unwrap();
            u64::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap()
        };
        let (exported, hidden, sized) = (address("exported"), address("hidden"), address("sized"));
        workshop.run("strip -s labels.so");
        let svmas = [exported, exported + 1, hidden, hidden + 1, sized + 1];
        let named = names(&workshop.path("labels.so"), &svmas);
        let is_named: Vec<_> =
            named.iter().map(|s| (!s.unnamed).then(|| &*s.lines[0].function)).collect();
        assert_eq!(
            is_named,
            [Some("exported"), Some("exported"), None, None, Some("sized")],
            "{describe}"
        );
    }
}
