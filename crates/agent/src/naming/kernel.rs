//! Names of kernel addresses.

use std::{
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::BufReader,
    time::{Duration, Instant},
};

use infrared_symbolize::{KernelSymbol, KernelSymbols};

use super::programs::Programs;
use crate::window::ClosedWindow;

/// Modules and BPF programs come and go: an unknown address has the table read again, but not more often than this.
const RELOAD_INTERVAL: Duration = Duration::from_mins(1);

/// `/proc/kallsyms`, read when first needed; and what comes and goes, by time.
#[derive(Debug, Default)]
pub(super) struct KernelNames {
    symbols: KernelSymbols,
    programs: Programs,
    loaded: Option<Instant>,
    /// What `/proc/modules` was like then: others may be at the same addresses later.
    modules: u64,
}

/// What kallsyms calls the module of BPF programs.
const PROGRAMS: &str = "bpf";

/// Tells one set of loaded modules from another.
fn modules() -> u64 {
    let mut hasher = DefaultHasher::new();
    std::fs::read("/proc/modules").unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

/// What a kernel address is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KernelName {
    pub(super) function: String,
    /// `[kernel]`, or the module's name in brackets.
    pub(super) module: String,
    pub(super) is_named: bool,
}

impl KernelNames {
    /// Takes in what has come and gone until a window's end (`CLOCK_MONOTONIC`).
    pub(super) fn follow(&mut self, window: &ClosedWindow) {
        self.programs.follow(&window.kernel_symbols, window.lost_kernel_symbols);
        let has_kernel_stacks = !window.kernel_stacks.is_empty();
        let is_stale =
            window.lost_kernel_symbols.is_some() || has_kernel_stacks && modules() != self.modules;
        if self.loaded.is_some() && is_stale {
            self.load();
        }
    }

    /// The number of the program that stood at an address at a time; 0 where that is no such code.
    pub(super) fn program_at(&mut self, address: u64, time_ns: u64) -> u32 {
        if self.loaded.is_none() {
            self.load();
        }
        self.programs.find(address, time_ns).map_or(0, |(id, _)| id)
    }

    /// The name of what stood at an address at a time (`CLOCK_MONOTONIC`).
    pub(super) fn name(&mut self, address: u64, time_ns: u64) -> KernelName {
        if self.loaded.is_none() {
            self.load();
        }
        if self.is_masked() {
            let module = "[kernel]".to_owned();
            return KernelName { function: module.clone(), module, is_named: false };
        }
        if let Some((_, name)) = self.programs.find(address, time_ns) {
            return KernelName {
                function: name.to_string(),
                module: format!("[{PROGRAMS}]"),
                is_named: true,
            };
        }
        // What kallsyms has of programs is of another time.
        let is_known = |symbol: &KernelSymbol<'_>| symbol.module != Some(PROGRAMS);
        if !self.symbols.lookup(address).is_some_and(|symbol| is_known(&symbol))
            && self.loaded.is_some_and(|at| at.elapsed() >= RELOAD_INTERVAL)
        {
            self.load();
        }
        let Some(symbol) = self.symbols.lookup(address).filter(is_known) else {
            let function = format!("[kernel]+0x{address:x}");
            return KernelName { function, module: "[kernel]".to_owned(), is_named: false };
        };
        let module = symbol.module.map_or("kernel", |module| module);
        KernelName {
            function: symbol.name.to_owned(),
            module: format!("[{module}]"),
            is_named: true,
        }
    }

    /// The kernel hides its addresses from us.
    pub(super) fn is_masked(&self) -> bool {
        self.loaded.is_some() && (self.symbols.is_masked() || self.symbols.is_empty())
    }

    fn load(&mut self) {
        self.loaded = Some(Instant::now());
        self.modules = modules();
        let read_ns = infrared_bpf::monotonic_ns();
        match File::open("/proc/kallsyms")
            .and_then(|file| KernelSymbols::load(BufReader::new(file)))
        {
            Ok(symbols) => {
                let present = symbols.of_module(PROGRAMS).map(|symbol| (symbol.start, symbol.name));
                self.programs.see(present, read_ns);
                self.symbols = symbols;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read /proc/kallsyms: kernel functions have no names");
            }
        }
    }
}
