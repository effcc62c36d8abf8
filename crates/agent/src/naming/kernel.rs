//! Names of kernel addresses.

use std::{
    fs::File,
    io::BufReader,
    sync::Arc,
    time::{Duration, Instant},
};

use infrared_symbolize::{KernelSymbol, KernelSymbols};

use super::{
    modules::{Between, Modules},
    programs::Programs,
};
use crate::window::ClosedWindow;

/// Modules and BPF programs come and go: an unknown address has the table read again, but not more often than this.
const RELOAD_INTERVAL: Duration = Duration::from_mins(1);

/// `/proc/kallsyms`, read when first needed; and what comes and goes, by time.
#[derive(Debug)]
pub(super) struct KernelNames {
    symbols: KernelSymbols,
    programs: Programs,
    modules: Modules,
    loaded: Option<Instant>,
    /// When it was read.
    read: Between,
    /// Modules came or went meanwhile.
    is_torn: bool,
}

/// What stands, or stood, at an address besides the kernel itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Guest {
    /// Nothing that we know of.
    None,
    Program(u32),
    Module(u32),
    /// A module that may be another than the table has the names of.
    Unsure,
}

/// What kallsyms calls the module of BPF programs.
const PROGRAMS: &str = "bpf";

/// What kallsyms calls modules that are none: code that the kernel makes for itself.
const BUILTIN: &str = "__builtin__";

/// What a kernel address is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KernelName {
    pub(super) function: String,
    /// `[kernel]`, or the module's name in brackets.
    pub(super) module: String,
    pub(super) is_named: bool,
}

impl KernelNames {
    pub(super) fn new() -> Self {
        let mut modules = Modules::default();
        modules.look();
        Self {
            symbols: KernelSymbols::default(),
            programs: Programs::default(),
            modules,
            loaded: None,
            read: Between::default(),
            is_torn: false,
        }
    }

    /// Takes in what has come and gone until a window's end (`CLOCK_MONOTONIC`).
    pub(super) fn follow(&mut self, window: &ClosedWindow) {
        self.programs.follow(&window.kernel_symbols, window.lost_kernel_symbols);
        let has_kernel_stacks = !window.kernel_stacks.is_empty();
        let has_other_modules = has_kernel_stacks && self.modules.look();
        let is_stale = window.lost_kernel_symbols.is_some() || has_other_modules || self.is_torn;
        if self.loaded.is_some() && is_stale {
            self.load();
        }
    }

    /// What stood at an address at a time.
    pub(super) fn guest_at(&mut self, address: u64, time_ns: u64) -> Guest {
        if self.loaded.is_none() {
            self.load();
        }
        if let Some((id, _)) = self.programs.find(address, time_ns) {
            return Guest::Program(id);
        }
        if !self.modules.reach().contains(&address) {
            return Guest::None;
        }
        let times = [Between::at(time_ns), self.read];
        match self.module_of(address) {
            Some(module) => self.modules.sure(&module, address, times),
            None if self.modules.has(address) => None,
            None => return Guest::None,
        }
        .map_or(Guest::Unsure, Guest::Module)
    }

    /// The module that has an address by the table.
    fn module_of(&self, address: u64) -> Option<Arc<str>> {
        let module = self.symbols.lookup(address)?.module?;
        (&*module != PROGRAMS && !module.starts_with(BUILTIN)).then_some(module)
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
        let is_known = |symbol: &KernelSymbol| symbol.module.as_deref() != Some(PROGRAMS);
        if !self.symbols.lookup(address).is_some_and(|symbol| is_known(&symbol))
            && self.loaded.is_some_and(|at| at.elapsed() >= RELOAD_INTERVAL)
        {
            self.load();
        }
        let guest = self.guest_at(address, time_ns);
        // The last function of a module may seem to reach beyond it, to where others come and go.
        let is_astray = guest == Guest::None && self.module_of(address).is_some();
        if guest == Guest::Unsure || is_astray {
            let function = format!("[module came or went]+0x{address:x}");
            return KernelName { function, module: "[kernel]".to_owned(), is_named: false };
        }
        let Some(symbol) = self.symbols.lookup(address).filter(is_known) else {
            let function = format!("[kernel]+0x{address:x}");
            return KernelName { function, module: "[kernel]".to_owned(), is_named: false };
        };
        let module = symbol.module.as_deref().unwrap_or("kernel");
        KernelName {
            function: symbol.name.to_string(),
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
        self.modules.look();
        let read_ns = infrared_bpf::monotonic_ns();
        match File::open("/proc/kallsyms")
            .and_then(|file| KernelSymbols::load(BufReader::new(file)))
        {
            Ok(symbols) => {
                let present = symbols.of_module(PROGRAMS);
                let present = present.iter().map(|symbol| (symbol.start, &*symbol.name));
                self.programs.see(present, read_ns);
                self.symbols = symbols;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read /proc/kallsyms: kernel functions have no names");
            }
        }
        self.read = Between { start_ns: read_ns, end_ns: infrared_bpf::monotonic_ns() };
        self.is_torn = self.modules.look();
    }
}

#[cfg(test)]
mod tests {
    use super::{super::modules::tests::see, *};

    const TABLE: &str = "\
ffffffff81000000 T start_kernel\n\
ffffffff81000300 T _etext\n\
ffffffffc0001000 t first_module\t[alpha]\n\
ffffffffc0002000 t second_module\t[beta]\n\
ffffffffc0009000 t trampoline\t[__builtin__ftrace]\n";
    const ALPHA: u64 = 0xffff_ffff_c000_1000;
    const BETA: u64 = 0xffff_ffff_c000_2000;

    /// As the table is at 30. A third module was where the second is until 20 or so.
    fn names() -> KernelNames {
        let mut modules = Modules::default();
        see(&mut modules, &[("alpha", ALPHA, 1), ("gamma", BETA, 2)], 10);
        see(&mut modules, &[("alpha", ALPHA, 1), ("beta", BETA, 3)], 20);
        see(&mut modules, &[("alpha", ALPHA, 1), ("beta", BETA, 3)], 40);
        KernelNames {
            symbols: KernelSymbols::load(TABLE.as_bytes()).unwrap(),
            programs: Programs::default(),
            modules,
            loaded: Some(Instant::now()),
            read: Between::at(30),
            is_torn: false,
        }
    }

    #[test]
    fn code_of_a_module_is_named_by_what_stood_there_for_sure_at_its_time() {
        let mut names = names();
        for (address, time_ns, expected) in [
            (0xffff_ffff_8100_0010, 5, Some("start_kernel")),
            (ALPHA + 0x10, 5, Some("first_module")),
            (ALPHA + 0x10, 15, Some("first_module")),
            (BETA + 0x10, 5, None),
            (BETA + 0x10, 15, None),
            (BETA + 0x10, 25, Some("second_module")),
            (BETA + 0x10, 40, Some("second_module")),
            (BETA + 0x10, 41, None),
            // Behind what is loaded: what came and went there is not the function before it.
            (BETA + 0x1010, 25, None),
            (0xffff_ffff_c000_9010, 5, Some("trampoline")),
        ] {
            let name = names.name(address, time_ns);
            let function = name.is_named.then_some(&*name.function);
            assert_eq!(function, expected, "{address:x} at {time_ns}: {name:?}");
        }
        let unsure = names.name(BETA + 0x10, 15);
        assert_eq!(unsure.function, "[module came or went]+0xffffffffc0002010");
    }

    #[test]
    fn what_stood_at_an_address_differs_where_its_name_does() {
        let mut names = names();
        let at = |names: &mut KernelNames, time_ns| names.guest_at(BETA + 0x10, time_ns);
        assert_eq!((at(&mut names, 5), at(&mut names, 15)), (Guest::Unsure, Guest::Unsure));
        assert_eq!(at(&mut names, 25), at(&mut names, 40));
        assert_ne!(at(&mut names, 15), at(&mut names, 25));
        assert_eq!(names.guest_at(0xffff_ffff_8100_0010, 5), Guest::None);
    }
}
