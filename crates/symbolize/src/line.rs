//! The names of an address.

use std::sync::Arc;

/// A function and the source line in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The name as written in the source: demangled.
    pub function: Arc<str>,
    /// The linker's name; equal to `function` where the language does not mangle.
    pub system_name: Arc<str>,
    /// Path of the source file as the compiler recorded it; empty if unknown.
    pub file: Arc<str>,
    /// From 1; 0 if unknown.
    pub line: u32,
}

/// What one address is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbolized {
    /// Innermost first, never empty. All but the last are inlined into the next.
    pub lines: Arc<[Line]>,
    /// No source had a name: the line is `module+0xoffset`, of the start of the function (or part of one) that call
    /// frame information tells of, else of the address.
    pub unnamed: bool,
}

/// A line before it is demangled and shared. Without a name where a source has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What to show, where that is not the demangled system name.
    pub(crate) function: Option<Arc<str>>,
    pub(crate) system_name: Option<Arc<str>>,
    pub(crate) file: Option<Arc<str>>,
    pub(crate) line: u32,
}
