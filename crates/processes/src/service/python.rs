//! Python: scripts, modules, and the servers that run an application (`gunicorn shop.wsgi`).

use super::arguments::{Item, Items, Long, Syntax};
use super::program::{Program, Run, base_name};
use super::script::{is_nameless, project_directory, script_name};

/// Options of `python3` (its manual page).
const PYTHON: Syntax = Syntax::new("cmQWX", &["--check-hash-based-pycs"]);

pub(super) fn program(run: Run<'_>) -> Option<Program> {
    let mut items = Items::new(run.arguments, PYTHON);
    while let Some(item) = items.next() {
        match item {
            Item::Short('c', _) => return None,
            Item::Plain(path) if is_nameless(path) => return None,
            Item::Short('m', module) => return module_of(module?, items.rest(), run),
            Item::Plain(path) => {
                let name = tool_name(base_name(path), items.rest(), run);
                return Some(Program::script(name.unwrap_or_else(|| script(path, run))));
            }
            _ => {}
        }
    }
    None
}

/// A server of Python applications that is no Python script: uWSGI.
pub(super) fn native_tool(run: Run<'_>) -> Option<Program> {
    (run.program == "uwsgi").then(|| tool_name("uwsgi", run.arguments, run).map(Program::script))?
}

/// A script's name that is a tool's, as in a title without the interpreter.
pub(super) fn tool(words: &[String], run: Run<'_>) -> Option<Program> {
    let (first, rest) = words.split_first()?;
    tool_name(base_name(first), rest, run).map(Program::script)
}

fn module_of(module: &str, rest: &[String], run: Run<'_>) -> Option<Program> {
    let name = tool_name(module, rest, run);
    (!module.is_empty()).then(|| Program::script(name.unwrap_or_else(|| module.to_owned())))
}

/// `python3 shop/__main__.py` and `python3 shop` run the package.
fn script(path: &str, run: Run<'_>) -> String {
    match path.strip_suffix("/__main__.py") {
        Some(package) => base_name(package).to_owned(),
        None => run.script_name(path),
    }
}

/// Where a tool names the application that it runs.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// The first plain argument.
    First,
    /// The plain argument behind the subcommand.
    Second,
    /// The first plain argument is a subcommand, which tells the tool's processes apart.
    Subcommand,
    /// The value of one of these options.
    Options(&'static [&'static str]),
}

struct Tool {
    name: &'static str,
    target: Target,
    syntax: Syntax,
}

const fn tool_with(name: &'static str, target: Target, syntax: Syntax) -> Tool {
    Tool { name, target, syntax }
}

const GUNICORN: Syntax = Syntax {
    short_valued: "cbkwtgumpne",
    long: Long::AllBut(&[
        "--reload",
        "--preload",
        "--daemon",
        "--check-config",
        "--print-config",
        "--spew",
        "--reuse-port",
        "--capture-output",
        "--enable-stdio-inheritance",
        "--proxy-protocol",
        "--log-syslog",
        "--strip-header-spaces",
        "--initgroups",
        "--suppress-ragged-eofs",
        "--do-handshake-on-connect",
        "--disable-redirect-access-to-syslog",
    ]),
    ..Syntax::PLAIN
};
const ASGI: Syntax = Syntax {
    short_valued: "bcgkmpuw",
    long: Long::AllBut(&[
        "--reload",
        "--factory",
        "--proxy-headers",
        "--server-header",
        "--date-header",
        "--use-colors",
        "--access-log",
        "--debug",
        "--daemon",
        "--ws-per-message-deflate",
    ]),
    ..Syntax::PLAIN
};
const CELERY: Syntax = Syntax::new("AbclnPQsE", &["--app", "--broker", "--workdir"]);
const UWSGI: Syntax = Syntax {
    short_valued: "wspHxyijJ",
    long: Long::AllBut(&[
        "--master",
        "--vacuum",
        "--enable-threads",
        "--die-on-term",
        "--lazy-apps",
        "--need-app",
        "--single-interpreter",
        "--thunder-lock",
        "--http-keepalive",
    ]),
    ..Syntax::PLAIN
};

const TOOLS: &[Tool] = &[
    tool_with("gunicorn", Target::First, GUNICORN),
    tool_with("uvicorn", Target::First, ASGI),
    tool_with("hypercorn", Target::First, ASGI),
    tool_with("daphne", Target::First, Syntax::new("bpue", &["--bind", "--port", "--endpoint"])),
    tool_with("granian", Target::First, ASGI),
    tool_with("waitress-serve", Target::First, Syntax::PLAIN),
    tool_with("dramatiq", Target::First, Syntax::new("pt", &["--processes", "--threads"])),
    tool_with("celery", Target::Options(&["A", "--app"]), CELERY),
    tool_with("flask", Target::Options(&["A", "--app"]), Syntax::new("Ae", &["--app"])),
    tool_with(
        "uwsgi",
        Target::Options(&["w", "--module", "--wsgi", "--wsgi-file", "--ini", "--yaml", "--mount"]),
        UWSGI,
    ),
    tool_with("fastapi", Target::Second, ASGI),
    tool_with("streamlit", Target::Second, ASGI),
    tool_with("rq", Target::Subcommand, Syntax::PLAIN),
    tool_with("airflow", Target::Subcommand, Syntax::PLAIN),
    tool_with("jupyter", Target::Subcommand, Syntax::PLAIN),
    tool_with("mlflow", Target::Subcommand, Syntax::PLAIN),
    tool_with("supervisord", Target::Options(&[]), Syntax::PLAIN),
];

/// `gunicorn shop.wsgi`; `flask shop` after the directory when no argument names the application.
/// `None` when `name` is not one of the tools.
fn tool_name(name: &str, rest: &[String], run: Run<'_>) -> Option<String> {
    let name = name.strip_suffix(".py").unwrap_or(name);
    let tool = TOOLS.iter().find(|tool| tool.name == name)?;
    let target = target_of(tool, rest).map(|target| match tool.target {
        Target::Subcommand => target.to_owned(),
        _ => application_name(target, run),
    });
    let fallback = || match tool.target {
        Target::Options([]) | Target::Subcommand => None,
        _ => run.working_directory.and_then(project_directory),
    };
    Some(match target.or_else(fallback) {
        Some(target) => format!("{name} {target}"),
        None => name.to_owned(),
    })
}

fn target_of<'a>(tool: &Tool, rest: &'a [String]) -> Option<&'a str> {
    let mut items = Items::new(rest, tool.syntax);
    let mut plain = items.clone().filter_map(|item| match item {
        Item::Plain(word) => Some(word),
        _ => None,
    });
    match tool.target {
        Target::First | Target::Subcommand => plain.next(),
        Target::Second => plain.nth(1),
        Target::Options(names) => items.find_map(|item| match item {
            Item::Short(letter, value) => {
                names.iter().any(|name| name.chars().eq([letter])).then_some(value)?
            }
            Item::Long(name, value) => names.contains(&name).then_some(value)?,
            Item::Plain(_) => None,
        }),
    }
}

/// `shop.wsgi:application` is `shop.wsgi`; a file is its name.
pub(super) fn application_name(target: &str, run: Run<'_>) -> String {
    let module = target.split(':').next().unwrap_or(target);
    if module.contains('/') || module.strip_suffix(".py").is_some() {
        script_name(module, run.working_directory)
    } else {
        module.to_owned()
    }
}
