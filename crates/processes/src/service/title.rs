//! Titles that interpreted programs write over their arguments (`setproctitle`, `process.title`, `$0`).

use super::program::{Language, Program, Run, base_name, script_of};
use super::script::project_directory;
use super::{javascript, python};

/// The program behind the only argument of an interpreter.
pub(super) fn program(title: &str, language: Language, run: Run<'_>) -> Option<Program> {
    let title = title.trim();
    if language == Language::PhpFpm {
        return Some(Program::script(match title.split_once(": pool ") {
            Some((_, pool)) => format!("php-fpm {}", pool.trim()),
            None => "php-fpm".to_owned(),
        }));
    }
    known(title).map(Program::script).or_else(|| as_command(title, language, run))
}

/// Titles that have a form of their own.
fn known(title: &str) -> Option<String> {
    let first = title.split([' ', ':']).next().unwrap_or_default();
    let in_brackets = || {
        let (_, rest) = title.rsplit_once('[')?;
        rest.strip_suffix(']').filter(|text| !text.is_empty())
    };
    let with = |name: &str, what: Option<&str>| {
        Some(what.map_or_else(|| name.to_owned(), |what| format!("{name} {what}")))
    };
    match first {
        // gunicorn: worker [shop.wsgi:application]
        "gunicorn" if title.contains('[') => {
            with("gunicorn", in_brackets().and_then(|target| target.split(':').next()))
        }
        // puma: cluster worker 0: 4711 [shop], puma 6.4.0 (tcp://0.0.0.0:3000) [shop]
        "puma" => with("puma", in_brackets()),
        // sidekiq 7.1.0 shop [0 of 5 busy]
        "sidekiq" => with("sidekiq", title.split(' ').nth(2).filter(|word| !word.starts_with('['))),
        // unicorn master -c config/unicorn.rb
        "unicorn" | "unicorn_rails" | "resque" | "starman" => with(first, None),
        // PM2 v5.3.0: God Daemon (/root/.pm2)
        "PM2" => with("pm2", None),
        // Passenger RubyApp: /srv/shop (production)
        "Passenger" => {
            let path =
                title.split_once(": ").map(|(_, rest)| rest.split(" (").next().unwrap_or(rest));
            let project = path.and_then(|path| project_directory(path.as_ref()));
            with("passenger", project.as_deref())
        }
        // [celeryd: celery@host:MainProcess] -active- (worker -A shop)
        _ if first.starts_with("[celery") => with("celery", celery_application(title)),
        _ => None,
    }
}

fn celery_application(title: &str) -> Option<&str> {
    let mut words = title.split([' ', '(', ')']);
    while let Some(word) = words.next() {
        if word == "-A" || word == "--app" {
            return words.next();
        }
        if let Some(application) = word.strip_prefix("--app=") {
            return Some(application);
        }
    }
    None
}

/// A title in the form of a command (`node /srv/shop/server.js`, `npm run start`), or of a name with
/// a remark (`shop: worker 3`).
fn as_command(title: &str, language: Language, run: Run<'_>) -> Option<Program> {
    let words: Vec<String> = title.split_ascii_whitespace().map(str::to_owned).collect();
    let (first, rest) = words.split_first()?;
    let program = base_name(first.strip_prefix('-').unwrap_or(first));
    if Language::of(program).is_some() {
        return script_of(language, Run { program, arguments: rest, ..run });
    }
    if let Some(name) = first.strip_suffix(':').filter(|name| !name.is_empty()) {
        return Some(Program::script(base_name(name)));
    }
    match language {
        Language::Node => Some(Program::script(javascript::script(first, rest, run))),
        Language::Python => {
            python::tool(&words, run).or_else(|| Some(Program::script(run.script_name(first))))
        }
        _ => Some(Program::script(run.script_name(first))),
    }
}
