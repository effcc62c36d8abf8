//! Files that have lost their section headers (`llvm-strip --strip-sections`): named as the twin that has kept them.

use std::fs::{self, File};
use std::sync::Arc;

use infrared_symbolize::{
    DebugSearch, Image, ImageId, Limits, ReadAt, Symbolized, Symbolizer, open_below,
};

use crate::compare;
use crate::programs::{Workshop, names, shown, source, symbolizer};

/// Makes `program` of `whole` without symbol tables, and `other/program` without section headers too.
fn stripped(workshop: &Workshop) {
    fs::create_dir_all(workshop.path("other")).expect("a directory");
    workshop.run("strip -o program whole");
    workshop.run("llvm-strip --strip-sections -o other/program program");
    let headers = workshop.output("readelf -h other/program");
    assert!(headers.contains("Number of section headers:         0"), "{headers}");
}

fn functions(named: &[Symbolized]) -> Vec<(String, bool)> {
    named.iter().map(|s| (s.lines[0].function.to_string(), s.unnamed)).collect()
}

#[test]
fn a_file_without_section_headers_has_the_names_of_its_twin() {
    // The least share in percent that has a name; the others go by where their functions start.
    let builds = [
        ("g++ -O2 -rdynamic", "inlines.cpp", 40),
        ("g++ -O2 -rdynamic -Wl,--hash-style=sysv", "inlines.cpp", 40),
        ("g++ -O2 -rdynamic -no-pie", "inlines.cpp", 40),
        ("clang++ -O2 -rdynamic -fuse-ld=lld", "inlines.cpp", 40),
        ("gcc -O2 -shared -fPIC", "plain.c", 10),
        ("gcc -O2 -static-pie", "plain.c", 0),
    ];
    let workshop = Workshop::new();
    for (command, program, least) in builds {
        workshop.run(&format!("{command} -o whole {}", source(program).display()));
        stripped(&workshop);
        let svmas = compare::spread(&workshop.path("whole"), 2000).expect("addresses");
        let want = functions(&names(&workshop.path("program"), &svmas));
        let got = functions(&names(&workshop.path("other/program"), &svmas));
        let differs = svmas.iter().zip(want.iter().zip(&got)).find(|(_, (want, got))| want != got);
        assert!(differs.is_none(), "{command}: {differs:x?}");
        let named = got.iter().filter(|(_, unnamed)| !unnamed).count();
        assert!(named * 100 >= svmas.len() * least, "{command}: {named} of {}", svmas.len());
    }
}

#[test]
fn linkage_stubs_without_section_headers_have_their_names() {
    let workshop = Workshop::new();
    for command in ["gcc -O2 -Wl,-z,lazy", "gcc -O2 -no-pie", "clang -O2 -fuse-ld=lld"] {
        workshop.run(&format!("{command} -o whole {}", source("plain.c").display()));
        stripped(&workshop);
        let listing = workshop.output("objdump -d program");
        let stub = |line: &str| {
            let (address, rest) = line.split_once(" <")?;
            let name = rest.strip_suffix(">:").filter(|name| name.ends_with("@plt"))?;
            // That of the unwinder's exit handler is filled as data is, which code may jump through.
            let address = u64::from_str_radix(address, 16).ok()?;
            (name != "__cxa_finalize@plt").then(|| (address, (name.to_owned(), false)))
        };
        let (svmas, want): (Vec<u64>, Vec<_>) = listing.lines().filter_map(stub).unzip();
        assert!(svmas.len() >= 3, "{command}: {svmas:x?}");
        assert_eq!(functions(&names(&workshop.path("other/program"), &svmas)), want, "{command}");
    }
}

#[test]
fn a_label_without_a_size_names_its_own_function_and_nothing_behind_it() {
    let workshop = Workshop::new();
    let text =
        ".text\n.globl exported\nexported:\n nop\n ret\n.p2align 8\n nop\nhidden:\n nop\n ret\n";
    fs::write(workshop.path("labels.s"), text).expect("written");
    workshop.run("gcc -shared -nostdlib -o whole labels.s");
    stripped(&workshop);
    let symbols = workshop.output("nm whole");
    let address = |name: &str| {
        let line = symbols.lines().find(|line| line.ends_with(&format!(" {name}")));
        let text = line.and_then(|line| line.split(' ').next()).expect("a symbol");
        u64::from_str_radix(text, 16).expect("an address")
    };
    let (exported, hidden) = (address("exported"), address("hidden"));
    let got = names(&workshop.path("other/program"), &[exported, exported + 1, hidden]);
    let unnamed: Vec<bool> = got.iter().map(|s| s.unnamed).collect();
    assert_eq!((&*got[1].lines[0].function, unnamed), ("exported", vec![false, false, true]));
}

#[test]
fn the_debug_file_is_found_by_the_build_id_of_the_notes() {
    let workshop = Workshop::new();
    let id = "-Wl,--build-id=0x0123456789abcdef";
    workshop.run(&format!("g++ -O2 -g {id} -o whole {}", source("inlines.cpp").display()));
    stripped(&workshop);
    let directory = workshop.path(".build-id/01");
    fs::create_dir_all(&directory).expect("a directory");
    workshop.run("objcopy --only-keep-debug whole .build-id/01/23456789abcdef.debug");
    let svmas = compare::spread(&workshop.path("whole"), 500).expect("addresses");
    let named = |program: &str| {
        let binary = workshop.path(program);
        let global = vec![workshop.path("")];
        let root = workshop.path("other");
        let search = DebugSearch { binary: binary.clone(), root, global, open: open_below };
        let id = ImageId::BuildId(Arc::from(program));
        let open = || Ok(Box::new(File::open(&binary)?) as Box<dyn ReadAt>);
        symbolizer().symbolize(&Image { id: &id, open: &open, search: &search }, &svmas)
    };
    let got = named("other/program");
    let inlined = got.iter().filter(|s| s.lines.len() > 1).count();
    assert!(inlined * 10 > svmas.len(), "only {inlined} of {} inlined", svmas.len());
    let (want, got) = (shown(&named("program")), shown(&got));
    let differs = want.iter().zip(&got).find(|(want, got)| want != got);
    assert!(differs.is_none(), "{differs:?}");
}

#[test]
fn a_go_program_without_section_headers_has_its_names_lines_and_inlined_calls() {
    let workshop = Workshop::new();
    for flags in ["", "-buildmode=pie"] {
        workshop.run(&format!("go build {flags} -o whole {}", source("inlines.go").display()));
        workshop.run(&format!(
            "go build {flags} -ldflags=-s -o program {}",
            source("inlines.go").display()
        ));
        workshop.run("llvm-strip --strip-sections -o headerless program");
        let svmas = compare::spread(&workshop.path("whole"), 1000).expect("addresses");
        let want = shown(&names(&workshop.path("program"), &svmas));
        assert!(want.iter().filter(|line| line.contains(" < ")).count() > 50, "{flags}");
        let got = shown(&names(&workshop.path("headerless"), &svmas));
        let same = |(want, got): (&String, &String)| {
            want.replace("program+", "") == got.replace("headerless+", "")
        };
        let differs = want.iter().zip(&got).find(|pair| !same(*pair));
        assert!(differs.is_none(), "{flags}: {differs:?}");
    }
}

/// The file offset of the table that `tag` of the dynamic section leads to, in a file where both are the same.
fn dynamic_table(workshop: &Workshop, tag: &str) -> usize {
    let entries = workshop.output("readelf -dW program");
    let line = entries.lines().find(|line| line.contains(tag)).expect("an entry");
    let address = line.split_whitespace().last().expect("an address");
    usize::from_str_radix(address.trim_start_matches("0x"), 16).expect("hex")
}

#[test]
fn a_false_hash_table_is_counted_and_costs_the_names_but_not_the_starts() {
    let workshop = Workshop::new();
    workshop.run(&format!("g++ -O2 -rdynamic -o whole {}", source("inlines.cpp").display()));
    stripped(&workshop);
    let svmas = compare::spread(&workshop.path("whole"), 300).expect("addresses");
    let whole = fs::read(workshop.path("other/program")).expect("built");
    let table = dynamic_table(&workshop, "(GNU_HASH)");
    // The word of the table, what it says, and what that is: over the budget, or malformed.
    let cases = [(0, u32::MAX, 1, 0), (0, 1 << 18, 0, 1), (2, u32::MAX, 0, 1), (4, u32::MAX, 0, 0)];
    for (word, value, over_budget, malformed) in cases {
        let mut bytes = whole.clone();
        bytes[table + word * 4..][..4].copy_from_slice(&value.to_le_bytes());
        fs::write(workshop.path("other/program"), bytes).expect("written");
        let mut symbolizer = Symbolizer::new(Limits::default());
        let got = compare::ours(&mut symbolizer, &workshop.path("other/program"), &svmas);
        let got = functions(&got.expect("answers"));
        let stats = symbolizer.stats();
        assert_eq!((stats.over_budget, stats.source_errors), (over_budget, malformed), "{word}");
        let has_names = got.iter().any(|(_, unnamed)| !unnamed);
        assert_eq!(has_names, over_budget + malformed == 0, "{word}");
        let at_start = |svma: &u64| format!("program+{svma:#x}");
        let by_start = svmas.iter().zip(&got).filter(|(svma, (name, _))| *name != at_start(svma));
        assert!(by_start.count() * 10 > svmas.len() * 8, "{word}");
    }
}
