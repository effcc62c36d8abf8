//! Erlang and Elixir: the node's name (`-sname rabbit@host`), the tool behind `-extra`, or the name of
//! the start script.

use super::program::{Program, Run, base_name};

pub(super) fn program(run: Run<'_>) -> Option<Program> {
    let value_of = |wanted: &str| {
        let at = run.arguments.iter().position(|argument| argument == wanted)?;
        run.arguments.get(at + 1).map(String::as_str).filter(|value| !value.starts_with('-'))
    };
    let node = value_of("-sname").or_else(|| value_of("-name"));
    if let Some(name) = node.and_then(|node| node.split('@').next()).filter(|name| !name.is_empty())
    {
        return Some(Program::script(name));
    }
    if let Some(at) = run.arguments.iter().position(|argument| argument == "-extra")
        && let Some(tool) = run.arguments.get(at + 1)
    {
        let task = run.arguments.get(at + 2).filter(|task| !task.starts_with('-'));
        return Some(Program::script(match (base_name(tool), task) {
            ("mix", Some(task)) => format!("mix {task}"),
            (tool, _) => tool.to_owned(),
        }));
    }
    let started_by = value_of("-progname").map(base_name);
    started_by.filter(|name| !matches!(*name, "erl" | "beam.smp")).map(Program::script)
}
