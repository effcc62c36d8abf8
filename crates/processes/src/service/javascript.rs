//! JavaScript: node with its package managers, deno, bun.

use super::arguments::{Item, Items, Syntax};
use super::program::{Program, Run, base_name};
use super::script::{is_nameless, project_directory};

/// Options of node whose value may be the next argument (its manual page); most have `=`.
const NODE: Syntax = Syntax::new(
    "reC",
    &[
        "--require",
        "--import",
        "--loader",
        "--experimental-loader",
        "--eval",
        "--print",
        "--conditions",
        "--env-file",
        "--input-type",
        "--title",
        "--max-old-space-size",
        "--stack-trace-limit",
        "--unhandled-rejections",
        "--disable-warning",
        "--icu-data-dir",
        "--redirect-warnings",
        "--diagnostic-dir",
        "--openssl-config",
        "--watch-path",
    ],
);
const DENO: Syntax =
    Syntax::new("cL", &["--config", "--import-map", "--log-level", "--cert", "--seed"]);
const BUN: Syntax = Syntax::new("rce", &["--preload", "--config", "--cwd", "--env-file", "--eval"]);

/// Tools whose subcommand says what they do.
const PACKAGE_MANAGERS: &[&str] = &["npm", "npx", "yarn", "yarnpkg", "pnpm", "corepack"];
/// Tools that run the script that follows.
const RUNNERS: &[&str] = &["ts-node", "ts-node-dev", "tsx", "nodemon", "babel-node", "esr"];
/// Servers and builders that find the project in their directory.
const PROJECT_TOOLS: &[&str] = &[
    "next",
    "nuxt",
    "vite",
    "nest",
    "remix",
    "astro",
    "gatsby",
    "webpack",
    "strapi",
    "react-scripts",
];

pub(super) fn node(run: Run<'_>) -> Option<Program> {
    let mut items = Items::new(run.arguments, NODE);
    let mut title = None;
    while let Some(item) = items.next() {
        match item {
            Item::Short('e' | 'p', _) | Item::Long("--eval" | "--print", _) => return title,
            Item::Plain(path) if is_nameless(path) => return title,
            Item::Long("--title", Some(value)) if !value.is_empty() => {
                title = Some(Program::script(value));
            }
            Item::Plain(path) => {
                return title.or_else(|| Some(Program::script(script(path, items.rest(), run))));
            }
            _ => {}
        }
    }
    title
}

/// What node runs as `path`: tools go by their own names.
pub(super) fn script(path: &str, rest: &[String], run: Run<'_>) -> String {
    let file = base_name(path);
    let stem =
        [".js", ".cjs", ".mjs"].iter().find_map(|end| file.strip_suffix(end)).unwrap_or(file);
    let tool = stem.strip_suffix("-cli").unwrap_or(stem);
    let mut plain = Items::new(rest, Syntax::PLAIN).filter_map(|item| match item {
        Item::Plain(word) => Some(word),
        _ => None,
    });
    if PACKAGE_MANAGERS.contains(&tool) {
        let words: Vec<&str> = match plain.next() {
            Some("run") => ["run"].into_iter().chain(plain.next()).collect(),
            Some(word) => vec![word],
            None => vec![],
        };
        return [&[tool], &words[..]].concat().join(" ");
    }
    if RUNNERS.contains(&tool)
        && let Some(script) = plain.next()
    {
        return run.script_name(script);
    }
    if PROJECT_TOOLS.contains(&tool) {
        let project = run.working_directory.and_then(project_directory);
        return project.map_or(tool.to_owned(), |project| format!("{tool} {project}"));
    }
    run.script_name(path)
}

pub(super) fn deno(run: Run<'_>) -> Option<Program> {
    let mut items = Items::new(run.arguments, DENO);
    let subcommand = items.by_ref().find_map(plain)?;
    let target = items.find_map(plain);
    Some(Program::script(match (subcommand, target) {
        ("run" | "serve", Some(script)) => run.script_name(script),
        ("task", Some(task)) => format!("deno task {task}"),
        (script, _) if script.contains(['.', '/']) => run.script_name(script),
        (subcommand, _) => format!("deno {subcommand}"),
    }))
}

pub(super) fn bun(run: Run<'_>) -> Option<Program> {
    let mut items = Items::new(run.arguments, BUN);
    let first = items.by_ref().find_map(|item| match item {
        Item::Short('e', _) | Item::Long("--eval", _) => Some(None),
        item => plain(item).map(Some),
    })??;
    let script = match (first, items.find_map(plain)) {
        ("run", Some(second)) => second,
        _ => first,
    };
    Some(Program::script(if script.contains(['.', '/']) {
        run.script_name(script)
    } else if first == "run" {
        format!("bun run {script}")
    } else {
        format!("bun {script}")
    }))
}

fn plain(item: Item<'_>) -> Option<&str> {
    match item {
        Item::Plain(word) => Some(word),
        _ => None,
    }
}
