//! The program that a process runs: the script, module or archive for an interpreter, what is behind a
//! wrapper such as `sudo`, otherwise the executable.

use std::path::Path;

use super::script::script_name;
use super::{Source, beam, dotnet, interpreters, java, javascript, python, title, wrapper};
use crate::Process;

/// Wrappers within wrappers that are looked through.
const MOST_WRAPPERS: usize = 4;
/// The kernel cuts the name of a thread to this many bytes.
const LONGEST_COMM: usize = 15;

/// How a process was started, as far as it names the program.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// File name of the executable, if it can be read.
    pub executable: Option<&'a str>,
    /// With the program's own name first.
    pub arguments: &'a [String],
    pub comm: &'a str,
    pub working_directory: Option<&'a Path>,
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub name: String,
    /// [`Source::Script`] or [`Source::Executable`].
    pub source: Source,
    /// If the name of an archive tells it.
    pub version: Option<String>,
}

impl Program {
    pub(super) fn script(name: impl Into<String>) -> Self {
        Self { name: name.into(), source: Source::Script, version: None }
    }

    fn executable(name: &str) -> Self {
        Self { name: name.to_owned(), source: Source::Executable, version: None }
    }
}

/// What interprets a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Node,
    Deno,
    Bun,
    Java,
    Ruby,
    Perl,
    Php,
    PhpFpm,
    Shell,
    Dotnet,
    Beam,
    OtherScript,
}

impl Language {
    /// By the file name of the interpreter, whatever its version.
    pub(super) fn of(executable: &str) -> Option<Self> {
        let name = executable.strip_suffix("-dbg").unwrap_or(executable);
        let name = name.trim_end_matches(|character: char| {
            character.is_ascii_digit() || matches!(character, '.' | '-')
        });
        Some(match name {
            "python" | "pypy" | "pythonw" => Self::Python,
            "node" | "nodejs" => Self::Node,
            "deno" => Self::Deno,
            "bun" => Self::Bun,
            "java" | "jsvc" | "jsvc.exec" => Self::Java,
            "ruby" | "jruby" | "truffleruby" => Self::Ruby,
            "perl" => Self::Perl,
            "php" | "php-cgi" => Self::Php,
            "php-fpm" => Self::PhpFpm,
            "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "mksh" => Self::Shell,
            "dotnet" => Self::Dotnet,
            "beam.smp" | "beam" => Self::Beam,
            "lua" | "luajit" | "tclsh" | "wish" | "Rscript" | "guile" => Self::OtherScript,
            _ => return None,
        })
    }
}

/// A program with its arguments, without those that name the program itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) program: &'a str,
    pub(super) arguments: &'a [String],
    pub(super) working_directory: Option<&'a Path>,
}

impl<'a> Run<'a> {
    /// The script at `path`, with the arguments that follow it.
    pub(super) fn script_name(&self, path: &str) -> String {
        script_name(path, self.working_directory)
    }

    /// The program that `command` starts, in the same place.
    pub(super) fn of_command(self, command: &'a [String]) -> Option<Self> {
        let (program, arguments) = command.split_first()?;
        Some(Self { program: base_name(program), arguments, ..self })
    }
}

/// Names the program of a process.
pub fn program_of(invocation: &Invocation<'_>) -> Program {
    let name = executable_name(invocation);
    let by_file = invocation.executable.and_then(Language::of);
    let program = if by_file.is_some() { invocation.executable.unwrap_or(name) } else { name };
    let run = Run {
        program,
        arguments: invocation.arguments.get(1..).unwrap_or_default(),
        working_directory: invocation.working_directory,
    };
    let found = match (invocation.arguments, Language::of(program)) {
        ([title], Some(language)) => title::program(title, language, run),
        _ => what_runs(run, MOST_WRAPPERS),
    };
    found.unwrap_or_else(|| Program::executable(name))
}

impl Process {
    /// How it was started.
    pub fn program(&self) -> Program {
        let executable = self.executable.as_ref().map(crate::process::Executable::base_name);
        program_of(&Invocation {
            executable: executable.as_deref(),
            arguments: &self.cmdline.arguments,
            comm: &self.stat.comm,
            working_directory: self.working_directory.as_deref(),
        })
    }
}

/// The script or wrapped program. `None` when the executable itself is the program.
fn what_runs(run: Run<'_>, wrappers: usize) -> Option<Program> {
    if let Some(language) = Language::of(run.program) {
        return script_of(language, run);
    }
    let wrapped = wrapper::wrapped(run).filter(|_| wrappers > 0);
    if let Some(inner) = wrapped.and_then(|command| run.of_command(command)) {
        let found = what_runs(inner, wrappers - 1);
        return Some(found.unwrap_or_else(|| Program::executable(inner.program)));
    }
    python::native_tool(run)
}

/// What an interpreter runs. `None` for a prompt, or code in the command line.
pub(super) fn script_of(language: Language, run: Run<'_>) -> Option<Program> {
    match language {
        Language::Python => python::program(run),
        Language::Node => javascript::node(run),
        Language::Deno => javascript::deno(run),
        Language::Bun => javascript::bun(run),
        Language::Java => java::program(run),
        Language::Dotnet => dotnet::program(run),
        Language::Beam => beam::program(run),
        Language::PhpFpm => None,
        Language::Ruby
        | Language::Perl
        | Language::Php
        | Language::Shell
        | Language::OtherScript => interpreters::program(language, run),
    }
}

/// The name under which the executable was started, if the kernel confirms it, otherwise that of its
/// file: `redis-server` and not the `redis-check-rdb` that it is a link to, but not what a process
/// made up. A file in memory has a name by chance.
fn executable_name<'a>(invocation: &Invocation<'a>) -> &'a str {
    let started_as = invocation.arguments.first().map(|first| program_word(first));
    let comm = invocation.comm;
    let file = invocation.executable.filter(|file| !file.starts_with("memfd:"));
    match (file, started_as) {
        (Some(_), Some(name)) if !name.is_empty() && cut_to_comm(name) == comm => name,
        (Some(file), _) if !file.is_empty() => file,
        (_, Some(name)) if !name.is_empty() => name,
        _ => comm,
    }
}

fn cut_to_comm(name: &str) -> &str {
    let mut end = name.len().min(LONGEST_COMM);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// The program's name in a first argument that may be a title: `-bash`, `/usr/bin/redis-server *:6379`,
/// `nginx: master process`.
fn program_word(first: &str) -> &str {
    let word = first.split_ascii_whitespace().next().unwrap_or_default();
    let word = word.strip_suffix(':').unwrap_or(word);
    base_name(word.strip_prefix('-').unwrap_or(word))
}

/// What stands behind the last `/`.
pub(super) fn base_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
