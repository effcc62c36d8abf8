//! The unwinder's C in a process of its own, under the address and undefined-behaviour sanitizers.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
    process::Command,
    sync::OnceLock,
};

use infrared_abi::{
    bytes_of, bytes_of_slice, ir_frame, ir_mapping, ir_page, ir_page_key, ir_process, ir_registers,
    ir_row, ir_rule, ir_runtime_states,
};

use crate::support::{compile, root, scratch};

/// What a walk sees but memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) process: ir_process,
    pub(crate) states: ir_runtime_states,
    pub(crate) mappings: Vec<ir_mapping>,
    pub(crate) slabs: Vec<Vec<ir_row>>,
    pub(crate) pages: Vec<(ir_page_key, ir_page)>,
    pub(crate) rules: Vec<ir_rule>,
}

/// Where a walk starts.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) registers: ir_registers,
    /// Bit r: the general register r is known.
    pub(crate) valid: u32,
    /// The program counter is one past a call.
    pub(crate) return_address: bool,
    /// Memory: runtime address and bytes.
    pub(crate) regions: Vec<(u64, Vec<u8>)>,
}

/// Where a walk got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walked {
    pub(crate) stop: u32,
    pub(crate) defer: bool,
    pub(crate) anonymous: bool,
    pub(crate) frames: Vec<ir_frame>,
}

/// Whose steps the driver is built with. Both run here: they are arithmetic on captured memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Processor {
    X86_64,
    Arm64,
}

/// Records for the driver, collected in a file.
#[derive(Debug)]
pub(crate) struct Script {
    processor: Processor,
    path: PathBuf,
    file: BufWriter<File>,
}

impl Script {
    pub(crate) fn new(name: &str) -> Self {
        Self::with_steps_of(Processor::X86_64, name)
    }

    pub(crate) fn with_steps_of(processor: Processor, name: &str) -> Self {
        let path = scratch().join(format!("{name}.walks"));
        let file = BufWriter::new(File::create(&path).unwrap());
        Self { processor, path, file }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).unwrap();
    }

    pub(crate) fn environment(&mut self, environment: &Environment) {
        let Environment { process, states, mappings, slabs, pages, rules } = environment;
        let counts = [mappings.len(), slabs.len(), pages.len(), rules.len()].map(|n| n as u32);
        self.put(&1u32.to_ne_bytes());
        self.put(bytes_of_slice(&counts));
        self.put(bytes_of(process));
        self.put(bytes_of(states));
        self.put(bytes_of_slice(mappings));
        for slab in slabs {
            self.put(&(slab.len() as u32).to_ne_bytes());
            self.put(bytes_of_slice(slab));
        }
        let mut pages = pages.clone();
        pages.sort_by_key(|(key, _)| (key.image, key.page));
        for (key, page) in &pages {
            self.put(bytes_of(key));
            self.put(bytes_of(page));
        }
        self.put(bytes_of_slice(rules));
    }

    pub(crate) fn walk(&mut self, start: &Start) {
        let heads = [start.valid, u32::from(start.return_address), start.regions.len() as u32];
        self.put(&2u32.to_ne_bytes());
        self.put(bytes_of_slice(&heads));
        self.put(bytes_of(&start.registers));
        for (address, bytes) in &start.regions {
            self.put(bytes_of_slice(&[*address, bytes.len() as u64]));
            self.put(bytes);
        }
    }

    pub(crate) fn fuzz(&mut self, seed: u64, rounds: u64) {
        self.put(&3u32.to_ne_bytes());
        self.put(bytes_of_slice(&[seed, rounds]));
    }

    /// What the driver printed. Fails the test where a sanitizer complained or the driver did not come to its end.
    pub(crate) fn run(mut self) -> String {
        self.file.flush().unwrap();
        let output = Command::new(driver(self.processor))
            .stdin(File::open(&self.path).unwrap())
            .env("UBSAN_OPTIONS", "print_stacktrace=1")
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the unwinder failed: {}\n{complaint}", output.status);
        std::fs::remove_file(&self.path).unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs walks alone.
    pub(crate) fn run_walks(self) -> Vec<Walked> {
        self.run().lines().map(parse).collect()
    }
}

fn parse(line: &str) -> Walked {
    let mut words = line.split(' ');
    let mut number = || words.next().unwrap().parse::<u32>().unwrap();
    let (stop, defer, anonymous) = (number(), number() != 0, number() != 0);
    let frames = words.map(|word| {
        let mut parts = word.split(':').map(|part| u64::from_str_radix(part, 16).unwrap());
        let mut next = || parts.next().unwrap();
        ir_frame { place: next(), space: next() as u32, position: next() as u32 }
    });
    Walked { stop, defer, anonymous, frames: frames.collect() }
}

/// The driver's executable, compiled once for each test binary.
fn driver(processor: Processor) -> &'static PathBuf {
    static X86_64: OnceLock<PathBuf> = OnceLock::new();
    static ARM64: OnceLock<PathBuf> = OnceLock::new();
    match processor {
        Processor::X86_64 => X86_64.get_or_init(|| build("host_unwinder_driver", &[])),
        Processor::Arm64 => ARM64.get_or_init(|| {
            build("host_unwinder_driver_arm64", &["-D__TARGET_ARCH_arm64".to_owned()])
        }),
    }
}

fn build(name: &str, flags: &[String]) -> PathBuf {
    let output = scratch().join(name);
    let sources = root().join("tests/host_unwinder/driver");
    let mut arguments: Vec<String> = ["-g", "-O1", "-std=gnu11", "-DIR_HOST"]
        .into_iter()
        .chain(["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o"])
        .map(String::from)
        .collect();
    arguments.push(output.display().to_string());
    arguments.extend_from_slice(flags);
    for include in ["abi/include", "unwind", "host"] {
        arguments.push(format!("-I{}", root().join(include).display()));
    }
    for source in ["main.c", "environment.c", "fuzz.c"] {
        arguments.push(sources.join(source).display().to_string());
    }
    arguments.push(root().join("host/unwinder.c").display().to_string());
    compile("gcc", arguments);
    output
}
