//! What has no ordinary symbol: PLT stubs, the vDSO, the kernel, JIT code.

use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use infrared_symbolize::{
    DebugSearch, Image, ImageId, KernelSymbols, Limits, PerfMap, PerfMapLimits, ReadAt, Symbolizer,
    open_below,
};

use crate::compare;
use crate::programs::{Workshop, names, source, symbolizer};

/// `address <name@plt>:` lines of the disassembly.
fn stubs(disassembly: &str) -> Vec<(u64, String)> {
    let stub = |line: &str| {
        let (address, rest) = line.split_once(" <")?;
        let name = rest.strip_suffix(">:").filter(|name| name.ends_with("@plt"))?;
        Some((u64::from_str_radix(address, 16).ok()?, name.to_owned()))
    };
    disassembly.lines().filter_map(stub).collect()
}

#[test]
fn plt_stubs_have_the_names_that_objdump_gives_them() {
    let builds = [
        "gcc -O2",
        "gcc -O2 -s",
        "gcc -O2 -no-pie",
        "gcc -O2 -fcf-protection -Wl,-z,now,-z,ibtplt",
        "clang -O2 -fuse-ld=lld -s",
    ];
    let workshop = Workshop::new();
    for command in builds {
        workshop.run(&format!("{command} -o program {}", source("plain.c").display()));
        let stubs = stubs(&workshop.output("objdump -d program"));
        assert!(stubs.len() >= 3, "{command}: {stubs:?}");
        for offset in [0, 5, 7] {
            let svmas: Vec<u64> = stubs.iter().map(|(a, _)| a + offset).collect();
            let named = names(&workshop.path("program"), &svmas);
            for ((_, want), got) in stubs.iter().zip(named) {
                assert_eq!(&*got.lines[0].function, want, "{command} +{offset}");
            }
        }
    }
}

#[test]
fn the_vdso_is_named_from_its_bytes_in_memory() {
    let maps = fs::read_to_string("/proc/self/maps").expect("our mappings");
    let line = maps.lines().find(|l| l.ends_with("[vdso]")).expect("a vDSO");
    let (start, end) = line.split(' ').next().and_then(|r| r.split_once('-')).expect("a range");
    let hex = |text| u64::from_str_radix(text, 16).expect("an address");
    let mut bytes = vec![0; (hex(end) - hex(start)) as usize];
    File::open("/proc/self/mem")
        .expect("our memory")
        .read_exact_at(&mut bytes, hex(start))
        .expect("read");
    let workshop = Workshop::new();
    fs::write(workshop.path("vdso.so"), &bytes).expect("written");
    let symbols = workshop.output("nm -D vdso.so");
    let wanted = symbols.lines().find(|l| l.ends_with("__vdso_clock_gettime@@LINUX_2.6"));
    let wanted = wanted.expect("the clock's function");
    let svma = hex(wanted.split(' ').next().expect("an address"));
    let search = DebugSearch {
        binary: PathBuf::from("[vdso]"),
        root: workshop.path(""),
        global: Vec::new(),
        open: open_below,
    };
    let id = ImageId::BuildId(Arc::from("vdso"));
    let open = || Ok(Box::new(bytes.clone()) as Box<dyn ReadAt>);
    let image = Image { id: &id, open: &open, search: &search };
    let named = symbolizer().symbolize(&image, &[svma + 4, 0xffff_ffff]);
    let name = named[0].lines[0].function.to_string();
    assert!(matches!(&*name, "__vdso_clock_gettime" | "clock_gettime"), "{name}");
    assert_eq!((&*named[1].lines[0].function, named[1].unnamed), ("[vdso]+0xffffffff", true));
}

#[test]
fn kernel_functions_are_named_as_the_kernel_lists_them() {
    let text = fs::read_to_string("/proc/kallsyms").expect("the kernel's symbols");
    let symbols = KernelSymbols::load(BufReader::new(text.as_bytes())).expect("read");
    if text.lines().all(|line| line.starts_with("0000000000000000 ")) {
        assert!(symbols.is_masked() && symbols.is_empty());
        return;
    }
    assert!(!symbols.is_masked() && symbols.len() > 10_000, "{}", symbols.len());
    let mut checked = 0;
    let mut previous = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let address = u64::from_str_radix(words[0], 16).expect("an address");
        // the first name at an address; the last few are at the end of a range
        if matches!(words[1], "t" | "T") && address > previous && !words[2].starts_with("_e") {
            let found = symbols.lookup(address).map(|s| s.start);
            assert_eq!(found, Some(address), "{line}");
            checked += 1;
        }
        previous = previous.max(address);
    }
    assert!(checked > 10_000, "{checked}");
}

#[test]
fn jit_code_is_named_by_the_map_that_node_writes() {
    let script =
        "function hotLoop(n) { let s = 0; for (let i = 0; i < n; i++) s += i % 7; return s }
        let t = 0; for (let i = 0; i < 2000; i++) t += hotLoop(1000); console.log(process.pid)";
    // V8 leaves a log where it runs.
    let workshop = Workshop::new();
    let mut node = Command::new("node");
    node.arg("--perf-basic-prof").args(["-e", script]).current_dir(workshop.path("."));
    let output = node.output().expect("node is needed");
    let pid: u32 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a pid");
    let root = PathBuf::from("/");
    let mut map = PerfMap::new(PerfMapLimits::default());
    let read = map.refresh(&root, pid, 0);
    let text = fs::read_to_string(PerfMap::path(pid)).expect("the map");
    fs::remove_file(PerfMap::path(pid)).expect("removed");
    assert!(read.expect("the map"));
    assert!(map.len() > 100, "{}", map.len());
    let (_, malformed) = map.take_losses();
    assert!(malformed * 100 < map.len() as u64, "{malformed} malformed");
    let line = text.lines().rfind(|l| l.contains("hotLoop")).expect("our function");
    let start = u64::from_str_radix(line.split(' ').next().expect("an address"), 16).expect("hex");
    assert!(map.lookup(start + 1).is_some_and(|name| name.contains("hotLoop")));
}

#[test]
fn what_one_batch_leaves_for_the_next_changes_no_name_and_is_bounded() {
    let workshop = Workshop::new();
    workshop.run(&format!("gcc -O2 -g -gz=zlib -o packed {}", source("plain.c").display()));
    let elf = workshop.path("packed");
    let svmas = compare::spread(&elf, 200).expect("addresses");
    let fresh = names(&elf, &svmas);
    let mut held = Vec::new();
    for packed_bytes in [0, 1 << 20] {
        // Without results of its own, every batch asks the debug information.
        let limits = Limits { result_bytes: 0, packed_bytes, ..Limits::default() };
        let mut symbolizer = Symbolizer::new(limits);
        for _ in 0..3 {
            let named = compare::ours(&mut symbolizer, &elf, &svmas).expect("the file is there");
            assert_eq!(named, fresh);
        }
        assert_eq!(symbolizer.stats().hits, 0);
        held.push(symbolizer.size());
    }
    let [without, with] = held[..] else { panic!("two sizes") };
    assert!(without + 1000 < with && with < without + (1 << 20), "{without} {with}");
}

#[test]
fn an_image_that_cannot_be_opened_is_tried_again() {
    let workshop = Workshop::new();
    workshop.run(&format!("gcc -O2 -o program {}", source("plain.c").display()));
    let path = workshop.path("program");
    let search = DebugSearch {
        binary: path.clone(),
        root: PathBuf::from("/"),
        global: Vec::new(),
        open: open_below,
    };
    let id = ImageId::BuildId(Arc::from("program"));
    let missing = || Err(std::io::ErrorKind::NotFound.into());
    let there = || Ok(Box::new(File::open(&path)?) as Box<dyn ReadAt>);
    let main = workshop.output("nm program");
    let main = main.lines().find(|l| l.ends_with(" T main")).expect("main");
    let main = u64::from_str_radix(main.split(' ').next().expect("an address"), 16).expect("hex");
    let mut symbolizer = symbolizer();
    let first = symbolizer.symbolize(&Image { id: &id, open: &missing, search: &search }, &[main]);
    let second = symbolizer.symbolize(&Image { id: &id, open: &there, search: &search }, &[main]);
    assert!(first[0].unnamed);
    assert_eq!(&*second[0].lines[0].function, "main");
    assert_eq!(symbolizer.stats().image_errors, 1);
}
