//! Go code: rows from the stack heights that the Go runtime itself unwinds by.
//!
//! Go's tables are in every Go executable, stripped or not, and exact at every instruction; call frame information of
//! Go code is not read. `amd64` only.

mod pclntab;
mod prologue;
mod runtime;
mod text;

use std::borrow::Cow;
use std::ops::Range;

use object::ReadRef;

use self::pclntab::{Function, Pclntab};
use self::prologue::Prologue;
use self::runtime::Behaviour;
use crate::arch::Machine;
use crate::error::Error;
use crate::image::Image;
use crate::rule::{Rule, RuleKind, Slot};
use crate::spans::Span;

/// The sections that the table may be in: the second is that of position-independent executables that the system's
/// linker made.
const SECTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];

/// Sections that every Go executable has one of.
const MARKS: [&str; 2] = [".go.buildinfo", ".note.go.buildid"];

/// The functions of the runtime that are looked into are shorter.
const MAX_RUNTIME_FUNCTION: u64 = 512;

/// What is searched for a table that no section names.
const MAX_SEARCHED_BYTES: u64 = 128 << 20;

/// What its function table says of an image's Go runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoInfo {
    /// The addresses of Go code.
    pub text: Range<u64>,
    /// Those of `runtime.systemstack`, whose code shows where the runtime keeps what a switch of stacks has to know.
    pub systemstack: Option<Range<u64>>,
}

/// The bytes of the image's Go function table, if it has one.
pub(crate) fn table_bytes<'d, R: ReadRef<'d>>(
    image: &Image<'d, R>,
) -> Result<Option<Cow<'d, [u8]>>, Error> {
    if image.machine != Machine::X86_64 {
        return Ok(None);
    }
    for name in SECTIONS {
        if let Some(data) = image.section_data(name)? {
            return Ok(Some(data.bytes));
        }
    }
    // Some linkers merge it into another section. Without any headers any image may be of Go.
    let may_be_go = MARKS.iter().any(|mark| image.section(mark).is_some());
    if may_be_go || image.sections().is_empty() { Ok(search(image)) } else { Ok(None) }
}

fn search<'d, R: ReadRef<'d>>(image: &Image<'d, R>) -> Option<Cow<'d, [u8]>> {
    let mut searched = 0;
    for load in image.data_loads() {
        searched += load.range.end - load.range.start;
        if searched > MAX_SEARCHED_BYTES {
            return None;
        }
        let Some(bytes) = image.bytes_from(load.range.start) else { continue };
        let start = (0..bytes.len())
            .step_by(pclntab::HEADER_LEN)
            .find(|&at| pclntab::is_header(&bytes[at..]) && Pclntab::parse(&bytes[at..]).is_some());
        if let Some(start) = start {
            return Some(Cow::Borrowed(&bytes[start..]));
        }
    }
    None
}

/// The Go code of an image.
#[derive(Debug)]
pub(crate) struct GoCode<'t> {
    table: Pclntab<'t>,
    text_start: u64,
    /// Functions written in Go have a frame if they move sp at all, and start it by a push (Go 1.21).
    pushes: bool,
}

impl<'t> GoCode<'t> {
    /// `None` if the table is damaged or does not fit the code.
    pub(crate) fn open<'d, R: ReadRef<'d>>(image: &Image<'d, R>, table: &'t [u8]) -> Option<Self> {
        let table = Pclntab::parse(table)?;
        let text_start = text::start(image, &table)?;
        let mut code = Self { table, text_start, pushes: false };
        code.pushes = code.compiler_pushes(image);
        Some(code)
    }

    /// Whether the first functions with a frame that are written in Go start it by a push.
    fn compiler_pushes<'d, R: ReadRef<'d>>(&self, image: &Image<'d, R>) -> bool {
        let functions = (0..self.table.count).filter_map(|index| self.table.function(index));
        let mut framed = functions
            .filter(|function| !function.is_assembly())
            .filter_map(|function| Some((function, self.first_step(&function)?)))
            .take(8)
            .peekable();
        framed.peek().is_some()
            && framed.all(|(function, (step, height))| {
                let code = self.code(image, &function, prologue::MAX_PROLOGUE);
                height == 8 && prologue::find(code, step, height).is_some()
            })
    }

    fn code<'d, R: ReadRef<'d>>(
        &self,
        image: &Image<'d, R>,
        function: &Function<'_>,
        len: u64,
    ) -> &'d [u8] {
        let bytes = || image.bytes_at(self.address(function.entry)?, len.min(function.len));
        bytes().unwrap_or_default()
    }

    fn address(&self, entry: u64) -> Option<u64> {
        self.text_start.checked_add(entry)
    }

    pub(crate) fn info(&self) -> Option<GoInfo> {
        let start = self.address(self.table.entry(0)?)?;
        let end = self.address(self.table.entry(self.table.count)?)?;
        let systemstack = (0..self.table.count)
            .filter_map(|index| self.table.function(index))
            .find(|function| function.name == b"runtime.systemstack");
        let systemstack = systemstack.and_then(|function| {
            let start = self.address(function.entry)?;
            Some(start..start.checked_add(function.len)?)
        });
        (start < end).then_some(GoInfo { text: start..end, systemstack })
    }

    /// The ranges of all functions that have stack heights. A span's key is the function's index.
    ///
    /// A signal trampoline's range starts a byte early: its address is a return address that no call precedes, and
    /// return addresses are looked up one byte before.
    pub(crate) fn list(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::with_capacity(self.table.count as usize);
        for index in 0..self.table.count {
            let Some(function) = self.table.function(index) else { continue };
            if function.pcsp == 0 {
                continue;
            }
            let Some(mut start) = self.address(function.entry) else { continue };
            let Some(end) = start.checked_add(function.len) else { continue };
            if is_signal(&function) {
                start = start.saturating_sub(1);
                if let Some(last) =
                    spans.last_mut().filter(|last| last.start + u64::from(last.len) > start)
                {
                    last.len -= 1;
                }
            }
            let Some(Ok(len)) = end.checked_sub(start).map(u32::try_from) else { continue };
            if len > 0 {
                spans.push(Span { start, len, key: index });
            }
        }
        spans
    }

    /// Calls `sink(svma, rule)` for each address of function `index` at which a rule begins, in ascending order. An
    /// error of the sink ends it.
    pub(crate) fn rows<'d, R: ReadRef<'d>, E>(
        &self,
        image: &Image<'d, R>,
        index: u32,
        mut sink: impl FnMut(u64, Rule) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(function) = self.table.function(index) else { return Ok(()) };
        let Some(start) = self.address(function.entry) else { return Ok(()) };
        let behaviour = runtime::behaviour(&function);
        if let Behaviour::Whole(rule) = behaviour {
            return sink(start.saturating_sub(u64::from(is_signal(&function))), rule);
        }
        let frame = Frame {
            prologue: self.prologue(image, &function, behaviour),
            behaviour,
            sp_loaded: match behaviour {
                Behaviour::AfterSpLoad(_) => {
                    runtime::after_sp_load(self.code(image, &function, MAX_RUNTIME_FUNCTION))
                }
                _ => None,
            },
        };
        let mut offset = 0;
        for (end, height) in self.table.stack_heights(&function) {
            let mut at = offset;
            while at < end {
                sink(start.saturating_add(at), frame.rule(at, height))?;
                at = frame.next_change(at).min(end);
            }
            offset = end;
        }
        Ok(())
    }

    fn prologue<'d, R: ReadRef<'d>>(
        &self,
        image: &Image<'d, R>,
        function: &Function<'_>,
        behaviour: Behaviour,
    ) -> Option<Prologue> {
        let (step, height) = self.first_step(function)?;
        // What the compiler does is known, so that most functions need not be read.
        if self.pushes && !function.is_assembly() && behaviour == Behaviour::Plain {
            return (height == 8).then_some(Prologue { saved_from: step, frame_from: u64::MAX });
        }
        prologue::find(self.code(image, function, prologue::MAX_PROLOGUE), step, height)
    }

    /// Where sp first moves, and to which height.
    fn first_step(&self, function: &Function<'_>) -> Option<(u64, i64)> {
        let mut step = 0;
        for (end, height) in self.table.stack_heights(function) {
            if height > 0 {
                return Some((step, height));
            }
            step = end;
        }
        None
    }
}

fn is_signal(function: &Function<'_>) -> bool {
    matches!(runtime::behaviour(function), Behaviour::Whole(rule) if rule.kind == RuleKind::Signal)
}

/// What decides a function's rules besides sp's height.
#[derive(Debug)]
struct Frame {
    prologue: Option<Prologue>,
    behaviour: Behaviour,
    sp_loaded: Option<u64>,
}

impl Frame {
    /// The rule at `offset`, where sp is `height` bytes below its value at the entry.
    fn rule(&self, offset: u64, height: i64) -> Rule {
        if let (Behaviour::AfterSpLoad(rule), Some(loaded)) = (self.behaviour, self.sp_loaded)
            && offset >= loaded
        {
            return rule;
        }
        let frame = self.prologue.filter(|_| height >= 8);
        let has_frame = frame.is_some_and(|prologue| offset >= prologue.frame_from);
        if self.behaviour == Behaviour::FramePointer && has_frame {
            return Rule::of_kind(RuleKind::FramePointer);
        }
        let Some(cfa_offset) = height.checked_add(8).and_then(|sum| i32::try_from(sum).ok()) else {
            return Rule::UNSUPPORTED;
        };
        // vfork's stub takes the return address off the stack; it stays readable below.
        if cfa_offset < 0 {
            return Rule::UNSUPPORTED;
        }
        let is_saved = frame.is_some_and(|prologue| offset >= prologue.saved_from);
        Rule {
            cfa_reg: 7,
            fp: if is_saved { Slot::Cfa(-2) } else { Slot::Same },
            // Go code keeps no register but rbp for its caller.
            rbx: Slot::Undefined,
            ra: Slot::Cfa(-1),
            cfa_offset,
            ..Rule::of_kind(RuleKind::Offset)
        }
    }

    /// The next offset at which something else than sp's height changes the rule.
    fn next_change(&self, offset: u64) -> u64 {
        let prologue = self.prologue.map(|prologue| [prologue.saved_from, prologue.frame_from]);
        let changes = prologue.into_iter().flatten().chain(self.sp_loaded);
        changes.filter(|&change| change > offset).min().unwrap_or(u64::MAX)
    }
}
