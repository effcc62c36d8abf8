//! .NET: `dotnet Shop.dll`. Programs published for one platform are executables of their own.

use super::arguments::{Item, Items, Syntax};
use super::program::{Program, Run, base_name};

/// Options of the `dotnet` host whose value is the next argument (`dotnet --help`).
const DOTNET: Syntax = Syntax::new(
    "",
    &[
        "--additionalprobingpath",
        "--additional-deps",
        "--depsfile",
        "--fx-version",
        "--roll-forward",
        "--runtimeconfig",
    ],
);

pub(super) fn program(run: Run<'_>) -> Option<Program> {
    let mut plain = Items::new(run.arguments, DOTNET).filter_map(|item| match item {
        Item::Plain(word) => Some(word),
        _ => None,
    });
    let first = match plain.next()? {
        "exec" => plain.next()?,
        first => first,
    };
    let file = base_name(first);
    let assembly = [".dll", ".exe"].iter().find_map(|suffix| file.strip_suffix(suffix));
    Some(Program::script(assembly.map_or_else(|| format!("dotnet {first}"), str::to_owned)))
}
