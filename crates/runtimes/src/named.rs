//! What frames of runtimes run, as its authors wrote it.

use std::sync::Arc;

use infrared_abi::{IR_HOTSPOT_INTERPRETED, IR_V8_COMPILED, RuntimeId};
use infrared_profile::FrameKind;

use crate::{Memory, hotspot, python, v8};

/// A function as its author wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// As qualified as the runtime keeps it.
    pub name: Arc<str>,
    /// As the runtime was given it; `<string>` and the like for code without a file.
    pub file: Arc<str>,
    pub first_line: u32,
    pub lines: python::LineTable,
}

impl Function {
    /// The line, from 1, at a position in it; 0: it has none.
    pub fn line(&self, position: u32) -> u32 {
        self.lines.line(position).unwrap_or(0)
    }
}

/// A function at the line that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub function: Arc<str>,
    /// What tells it from others of that name, as its runtime writes it; may be empty.
    pub system_name: Arc<str>,
    /// May be empty.
    pub file: Arc<str>,
    /// From 1; 0: none.
    pub line: u32,
}

/// What the frames at an address run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A function of Python, whatever the position in it.
    Python(Function),
    /// Methods at one position, innermost first: a compiler has put each into the next.
    Java(Box<[Line]>),
    /// Functions of JavaScript at one position, innermost first, likewise.
    JavaScript(Box<[Line]>),
    /// The runtime's own code.
    Runtime(Box<str>),
}

impl Named {
    pub fn kind(&self) -> FrameKind {
        match self {
            Self::Python(_) => FrameKind::Python,
            Self::Java(_) => FrameKind::Java,
            Self::JavaScript(_) => FrameKind::JavaScript,
            Self::Runtime(_) => FrameKind::Runtime,
        }
    }

    /// Innermost first.
    pub fn lines(&self, position: u32) -> Vec<Line> {
        match self {
            Self::Python(function) => vec![Line {
                function: Arc::clone(&function.name),
                file: Arc::clone(&function.file),
                line: function.line(position),
                ..Line::default()
            }],
            Self::Java(lines) | Self::JavaScript(lines) => lines.to_vec(),
            Self::Runtime(name) => {
                vec![Line { function: format!("[{name}]").into(), ..Line::default() }]
            }
        }
    }

    /// Bytes of memory that it takes, about.
    pub fn bytes(&self) -> usize {
        let of_line = |line: &Line| {
            size_of::<Line>() + line.function.len() + line.system_name.len() + line.file.len()
        };
        size_of::<Self>()
            + match self {
                Self::Python(Function { name, file, lines, .. }) => {
                    name.len() + file.len() + lines.bytes()
                }
                Self::Java(lines) | Self::JavaScript(lines) => lines.iter().map(of_line).sum(),
                Self::Runtime(name) => name.len(),
            }
    }
}

/// How what the frames of a runtime run is read from the memory of their process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namer {
    Python(python::CodeLayout),
    HotSpot(hotspot::Layout),
    V8(Arc<v8::Layout>),
}

impl Namer {
    /// Whose frames.
    pub fn runtime(&self) -> RuntimeId {
        match self {
            Self::Python(_) => RuntimeId::Python,
            Self::HotSpot(_) => RuntimeId::HotSpot,
            Self::V8(_) => RuntimeId::V8,
        }
    }

    /// What is run at a runtime address, if it is what has `check`.
    pub fn name(
        &self,
        memory: &dyn Memory,
        (code, check, position): (u64, u32, u32),
    ) -> Option<Named> {
        match self {
            Self::Python(layout) => layout.function(memory, code, check).map(Named::Python),
            Self::HotSpot(layout) if position & IR_HOTSPOT_INTERPRETED != 0 => {
                layout.interpreted(memory, (code, check, position & !IR_HOTSPOT_INTERPRETED))
            }
            Self::HotSpot(layout) => layout.compiled(memory, (code, check, position)),
            Self::V8(layout) if code & u64::from(IR_V8_COMPILED) != 0 => {
                layout.compiled(memory, (code, check, position))
            }
            Self::V8(layout) => layout.interpreted(memory, (code, check, position)),
        }
    }
}

/// Whether what frames of a kind run is another function from position to position.
pub fn is_named_by_position(kind: u32) -> bool {
    kind == RuntimeId::HotSpot as u32 || kind == RuntimeId::V8 as u32
}

/// How a frame without an address is shown, or one of which is not known what it runs: it was freed before it could be read, or the
/// process is gone.
pub fn unread(kind: u32, (code, position): (u64, u32)) -> (String, FrameKind) {
    if kind == RuntimeId::HotSpot as u32 {
        return ("[java: not read]".to_owned(), FrameKind::Java);
    }
    if kind == RuntimeId::V8 as u32 {
        return ("[javascript: not read]".to_owned(), FrameKind::JavaScript);
    }
    let text = if code == 0 && position != 0 {
        format!("[python {}: not supported]", python::Version::of_number(position as u16))
    } else {
        "[python: not read]".to_owned()
    };
    (text, FrameKind::Python)
}
