//! One batch of addresses of one image, through all the sources of names that it has.
//!
//! Go's tables come first, since they are complete for Go code and cheap; then DWARF, whose outermost
//! function takes the name that the binary's own symbol table has for it, as in `llvm-symbolizer`;
//! then the symbol tables alone, and PLT stubs.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::debug_file::{self, CheckedFile, DebugFiles, DebugSearch};
use crate::demangle::is_mangled;
use crate::dwarf::{self, DebugBudget, DwarfIndex, Frames, Kept, Opener, SplitUnits};
use crate::elf::symbol_index::KnownSymbols;
use crate::elf::{Elf, function_starts, plt};
use crate::error::{Error, Result};
use crate::go::{GoFrame, GoFrames, GoTables};
use crate::line::Frame;
use crate::split_file::SplitSearch;
use crate::stats::Stats;
use crate::symbol_names::{Named, SymbolNames};

/// Reads of debug information in one batch, for each byte of the transient budget: by default 256
/// million, about two seconds of work. A file that needs more is not tried again.
const READS_PER_BYTE: u64 = 4;

/// What is remembered of an image between batches.
#[derive(Debug, Default)]
pub(crate) struct ImageMemory {
    pub(crate) dwarf: DwarfIndex,
    pub(crate) kept: Kept,
    pub(crate) symbols: KnownSymbols,
    checked: Option<CheckedFile>,
    /// Its debug information has exceeded the budget.
    too_costly: bool,
}

/// What an address is called.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// Innermost first; empty if there is no name or line.
    pub(crate) frames: Vec<Frame>,
    /// Where the function starts, if it has no name and that is known; else the address.
    pub(crate) start: u64,
    /// All addresses that are called the same, as far as is known.
    pub(crate) extent: Range<u64>,
}

impl Resolved {
    fn is_unnamed(&self) -> bool {
        is_unnamed(&self.frames)
    }
}

/// Whether no source has a name for the function that the frames are in.
pub(crate) fn is_unnamed(frames: &[Frame]) -> bool {
    frames.last().is_none_or(|outermost| outermost.system_name.is_none())
}

/// One image's open files and what may be spent on it.
pub(crate) struct Resolver<'a> {
    pub(crate) binary: &'a Elf,
    pub(crate) search: &'a DebugSearch,
    pub(crate) memory: &'a mut ImageMemory,
    pub(crate) stats: &'a mut Stats,
    /// Bytes held while the batch lasts.
    pub(crate) transient_bytes: u64,
    /// Bytes of debug information held from this batch to the next.
    pub(crate) packed_bytes: usize,
    /// Bytes of the order of its own symbols, held likewise.
    pub(crate) symbol_bytes: usize,
}

impl Resolver<'_> {
    /// What each of `svmas` (ascending) is called.
    pub(crate) fn resolve(&mut self, svmas: &[u64]) -> Vec<Resolved> {
        if let Some(damage) = self.binary.damage() {
            self.stats.count(damage);
        }
        let go = self.go(svmas);
        let is_go = go.is_some();
        let mut go = go.unwrap_or_default();
        let own_dwarf = self.binary.section(".debug_info").is_some();
        let separate = if own_dwarf {
            None
        } else {
            debug_file::find(self.binary, self.search, &mut self.memory.checked)
        };
        let without_go: Vec<u64> = svmas.iter().copied().filter(|a| !go.contains_key(a)).collect();
        let mut inlined = self.dwarf(separate.as_ref(), &without_go);
        let separate = separate.as_ref().map(|files| &files.debug);
        // Lines and inlined calls are of an address; a symbol, where it is all there is, of the whole function.
        let by_symbols_alone = !is_go && !own_dwarf && separate.is_none();
        let SymbolNames { mut by_svma, is_own_alone } = self.symbols(separate, svmas);
        let compose = svmas.iter().map(|svma| {
            let mut symbol = by_svma.remove(svma);
            let extent = symbol.as_mut().and_then(|symbol| symbol.extent.take());
            let frames = match go.remove(svma) {
                Some(frames) => go_frames(frames, symbol),
                None => join(inlined.remove(svma).unwrap_or_default(), symbol),
            };
            let one = *svma..svma.saturating_add(1);
            Resolved {
                frames,
                start: *svma,
                extent: extent.filter(|_| by_symbols_alone).unwrap_or(one),
            }
        });
        let mut resolved: Vec<Resolved> = compose.collect();
        self.describe_unnamed(svmas, &mut resolved, by_symbols_alone && is_own_alone);
        resolved
    }

    /// Says of what has no name in which function it is.
    fn describe_unnamed(&mut self, svmas: &[u64], resolved: &mut [Resolved], is_by_own: bool) {
        let named = svmas.iter().zip(&*resolved);
        let unnamed: Vec<u64> =
            named.filter(|(_, resolved)| resolved.is_unnamed()).map(|(svma, _)| *svma).collect();
        let described = function_starts::find(self.binary, &unnamed);
        let mut described = self.count(described).unwrap_or_default();
        for (svma, resolved) in svmas.iter().zip(resolved) {
            let Some(code) = described.remove(svma).filter(|_| resolved.is_unnamed()) else {
                continue;
            };
            resolved.start = code.start;
            // One entry describes all stubs, which have names of their own.
            if is_by_own
                && self.memory.symbols.is_free(&code)
                && plt::plt_section(self.binary, *svma).is_none()
            {
                resolved.extent = code;
            }
        }
    }

    /// `None` where there are no tables of Go's.
    fn go(&mut self, svmas: &[u64]) -> Option<HashMap<u64, GoFrames>> {
        let mut named = HashMap::new();
        let mut is_go = true;
        let read = GoTables::open(self.binary).and_then(|tables| {
            let Some(tables) = tables else {
                is_go = false;
                return Ok(());
            };
            for &svma in svmas {
                if let Some(frames) = tables.frames(svma)? {
                    named.insert(svma, frames);
                }
            }
            Ok(())
        });
        self.count(read);
        is_go.then_some(named)
    }

    fn dwarf(&mut self, separate: Option<&DebugFiles>, svmas: &[u64]) -> HashMap<u64, Vec<Frame>> {
        if svmas.is_empty() || self.memory.too_costly {
            return HashMap::new();
        }
        let budget = DebugBudget {
            page_bytes: self.transient_bytes / 4,
            inflated_bytes: self.transient_bytes / 2,
            packed_bytes: self.packed_bytes,
            reads: self.transient_bytes.saturating_mul(READS_PER_BYTE),
        };
        let own = separate.is_none().then(|| debug_file::own_supplement(self.binary, self.search));
        let own = own.flatten();
        let (debug, supplement) = match separate {
            Some(files) => (&files.debug, files.supplement.as_ref()),
            None => (self.binary, own.as_ref()),
        };
        let ImageMemory { dwarf: index, kept, .. } = &mut *self.memory;
        let search = SplitSearch { search: self.search, separate: separate.map(|s| &s.place) };
        let mut opener = Opener::new(budget, kept);
        let read = opener.open(debug, supplement, self.binary.lowest_code()).and_then(|debug| {
            let Some(debug) = debug else { return Ok(Frames::default()) };
            let mut splits = SplitUnits::new(&mut opener, search);
            let frames = dwarf::frames(&debug, &mut splits, index, svmas);
            opener.leave(&debug);
            frames
        });
        if let Ok(Frames { split_losses, .. }) = &read {
            self.stats.split_refused += split_losses.refused;
            self.stats.split_over_budget += split_losses.over_budget;
        }
        let incomplete = match &read {
            Ok(frames) => frames.incomplete,
            Err(error) => matches!(error, Error::OverBudget(_)),
        };
        if incomplete {
            self.stats.dwarf_over_budget += 1;
            self.memory.too_costly = true;
        } else if let Err(error) = &read {
            self.stats.count(error);
        }
        read.map(|frames| frames.by_svma).unwrap_or_default()
    }

    pub(crate) fn count<T>(&mut self, result: Result<T>) -> Option<T> {
        result.inspect_err(|error| self.stats.count(error)).ok()
    }
}

/// Go's own table shortens type arguments to `[...]` and leaves the calling convention out of the
/// name (`.abi0`); the linker's names, where they are not stripped, have both.
fn go_frames(go: GoFrames, symbol: Option<Named>) -> Vec<Frame> {
    let frame = |frame: GoFrame| {
        let name: Arc<str> = frame.name.into();
        Frame {
            function: Some(Arc::clone(&name)),
            system_name: Some(name),
            file: Some(frame.file.into()),
            line: frame.line,
        }
    };
    let mut frames: Vec<Frame> = go.frames.into_iter().map(frame).collect();
    if let (Some(outermost), Some(symbol)) = (frames.last_mut(), symbol)
        && symbol.start == go.entry
    {
        if outermost.function.as_ref().is_some_and(|name| name.contains("[...]")) {
            outermost.function = Some(Arc::clone(&symbol.name));
        }
        outermost.system_name = Some(symbol.name);
    }
    frames
}

fn join(mut frames: Vec<Frame>, symbol: Option<Named>) -> Vec<Frame> {
    let Some(symbol) = symbol else { return frames };
    match frames.last_mut() {
        Some(outermost) => {
            // For a static function DWARF has the bare name; a mangled one says more.
            let bare = outermost.system_name.as_ref().is_none_or(|name| !is_mangled(name));
            let missing = outermost.system_name.is_none();
            if symbol.own || missing || bare && is_mangled(&symbol.name) {
                outermost.system_name = Some(symbol.name);
            }
        }
        None => frames.push(Frame { system_name: Some(symbol.name), ..Frame::default() }),
    }
    frames
}
