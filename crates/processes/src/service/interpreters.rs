//! Interpreters whose program is the first plain argument: shells, Ruby, Perl, PHP and others.

use super::arguments::{Item, Items, Syntax};
use super::program::{Language, Program, Run, base_name};
use super::script::{is_nameless, project_directory};

/// Tools of Ruby that find the application in their directory.
const RUBY_TOOLS: &[&str] =
    &["rails", "rake", "puma", "unicorn", "unicorn_rails", "sidekiq", "resque", "rackup", "thin"];

/// How a language is started (the interpreters' manual pages), and the letters that are followed by
/// code.
fn syntax(language: Language) -> (Syntax, &'static str) {
    match language {
        Language::Shell => (Syntax::new("oO", &["--rcfile", "--init-file"]), "cs"),
        Language::Ruby => (Syntax { short_attached: "WKFTix", ..Syntax::new("eIrCEX", &[]) }, "e"),
        Language::Perl => (Syntax { short_attached: "MmFiCDxd", ..Syntax::new("eEI", &[]) }, "eE"),
        Language::Php => (Syntax::new("cdfgrStzBRFE", &["--define", "--php-ini"]), "rSBRFE"),
        _ => (Syntax { short_valued: "el", ..Syntax::PLAIN }, "e"),
    }
}

pub(super) fn program(language: Language, run: Run<'_>) -> Option<Program> {
    let (syntax, code) = syntax(language);
    let mut items = Items::new(run.arguments, syntax);
    while let Some(item) = items.next() {
        match item {
            Item::Short('f', Some(path)) if language == Language::Php => {
                return Some(Program::script(run.script_name(path)));
            }
            Item::Short(letter, _) if code.contains(letter) => return None,
            Item::Plain(path) if is_nameless(path) => return None,
            Item::Plain("+o" | "+O") if language == Language::Shell => drop(items.next()),
            Item::Plain(word) if language == Language::Shell && word.starts_with('+') => {}
            Item::Plain(path) if language == Language::Ruby => {
                return Some(Program::script(ruby(path, items.rest(), run)));
            }
            Item::Plain(path) => return Some(Program::script(run.script_name(path))),
            _ => {}
        }
    }
    None
}

/// `rails shop`, also behind `bundle exec`.
fn ruby(path: &str, rest: &[String], run: Run<'_>) -> String {
    let file = base_name(path);
    if let ("bundle" | "bundler", [exec, command, rest @ ..]) = (file, rest)
        && exec == "exec"
    {
        return ruby(command, rest, run);
    }
    if !RUBY_TOOLS.contains(&file) {
        return run.script_name(path);
    }
    match run.working_directory.and_then(project_directory) {
        Some(project) => format!("{file} {project}"),
        None => file.to_owned(),
    }
}
