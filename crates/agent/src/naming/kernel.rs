//! Names of kernel addresses.

use std::{
    fs::File,
    io::BufReader,
    time::{Duration, Instant},
};

use infrared_symbolize::KernelSymbols;

/// Modules and BPF programs come and go: an unknown address has the table read again, but not more often than this.
const RELOAD_INTERVAL: Duration = Duration::from_mins(1);

/// `/proc/kallsyms`, read when first needed.
#[derive(Debug, Default)]
pub(super) struct KernelNames {
    symbols: KernelSymbols,
    loaded: Option<Instant>,
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
    pub(super) fn name(&mut self, address: u64) -> KernelName {
        if self.loaded.is_none() {
            self.load();
        }
        if self.is_masked() {
            let module = "[kernel]".to_owned();
            return KernelName { function: module.clone(), module, is_named: false };
        }
        if self.symbols.lookup(address).is_none()
            && self.loaded.is_some_and(|at| at.elapsed() >= RELOAD_INTERVAL)
        {
            self.load();
        }
        let Some(symbol) = self.symbols.lookup(address) else {
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
        match File::open("/proc/kallsyms")
            .and_then(|file| KernelSymbols::load(BufReader::new(file)))
        {
            Ok(symbols) => self.symbols = symbols,
            Err(error) => {
                tracing::warn!(%error, "cannot read /proc/kallsyms: kernel functions have no names");
            }
        }
    }
}
