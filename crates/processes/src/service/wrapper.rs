//! Programs that run another one and stay: `sudo`, `tini`, `timeout`, `busybox`, the dynamic loader.
//!
//! Their own work belongs to what they run.

use super::arguments::{Item, Items, Syntax};
use super::program::Run;

struct Wrapper {
    name: &'static str,
    syntax: Syntax,
    /// Plain arguments before the command.
    skipped: usize,
}

const fn wrapper(name: &'static str, syntax: Syntax, skipped: usize) -> Wrapper {
    Wrapper { name, syntax, skipped }
}

const WRAPPERS: &[Wrapper] = &[
    wrapper(
        "sudo",
        Syntax::new(
            "CDghpRrTtUu",
            &[
                "--user",
                "--group",
                "--host",
                "--prompt",
                "--chdir",
                "--chroot",
                "--role",
                "--type",
                "--other-user",
                "--close-from",
                "--command-timeout",
            ],
        ),
        0,
    ),
    wrapper("doas", Syntax::new("Cu", &[]), 0),
    wrapper("env", Syntax::new("uCS", &["--unset", "--chdir"]), 0),
    wrapper("tini", Syntax::new("pe", &[]), 0),
    wrapper("tini-static", Syntax::new("pe", &[]), 0),
    wrapper("docker-init", Syntax::new("pe", &[]), 0),
    wrapper("dumb-init", Syntax::new("r", &["--rewrite"]), 0),
    wrapper("catatonit", Syntax::PLAIN, 0),
    wrapper("timeout", Syntax::new("ks", &["--kill-after", "--signal"]), 1),
    wrapper("nice", Syntax::new("n", &["--adjustment"]), 0),
    wrapper("nohup", Syntax::PLAIN, 0),
    wrapper("setsid", Syntax::PLAIN, 0),
    wrapper("stdbuf", Syntax::new("ioe", &["--input", "--output", "--error"]), 0),
    wrapper("ionice", Syntax::new("cnpPu", &["--class", "--classdata"]), 0),
    wrapper("chrt", Syntax::new("TPD", &[]), 1),
    wrapper("taskset", Syntax::new("", &[]), 1),
    wrapper(
        "numactl",
        Syntax::new(
            "iNmCplP",
            &["--interleave", "--membind", "--cpunodebind", "--physcpubind", "--preferred"],
        ),
        0,
    ),
    wrapper("gosu", Syntax::PLAIN, 1),
    wrapper("su-exec", Syntax::PLAIN, 1),
    wrapper("chroot", Syntax::new("", &[]), 1),
    wrapper("unshare", Syntax::new("SGR", &["--setuid", "--setgid", "--root", "--wd"]), 0),
    wrapper("nsenter", Syntax::new("tSGrw", &["--target", "--setuid", "--setgid"]), 0),
    wrapper("time", Syntax::new("fo", &["--format", "--output"]), 0),
    wrapper("busybox", Syntax::PLAIN, 0),
    wrapper("toybox", Syntax::PLAIN, 0),
    wrapper("coreutils", Syntax::PLAIN, 0),
];

const LOADER: Syntax = Syntax::new(
    "",
    &[
        "--library-path",
        "--inhibit-rpath",
        "--audit",
        "--preload",
        "--argv0",
        "--glibc-hwcaps-prepend",
    ],
);

/// The command that a wrapper runs: its name and arguments. `None` when `run` is no wrapper, or one
/// without a command.
pub(super) fn wrapped(run: Run<'_>) -> Option<&[String]> {
    let (syntax, skipped) = if is_loader(run.program) {
        (LOADER, 0)
    } else {
        let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.name == run.program)?;
        (wrapper.syntax, wrapper.skipped)
    };
    let mut items = Items::new(run.arguments, syntax);
    let mut passed = 0;
    loop {
        let before = items.rest();
        match items.next()? {
            // variables that env and sudo set
            Item::Plain(word) if is_assignment(word) => {}
            Item::Plain(_) if passed < skipped => passed += 1,
            Item::Plain(word) => {
                // `--` may stand before the word
                let at = before.iter().position(|argument| argument == word)?;
                return Some(&before[at..]);
            }
            _ => {}
        }
    }
}

/// `ld-linux-x86-64.so.2`, `ld-musl-x86_64.so.1`, `ld.so`; and an emulator of another machine.
fn is_loader(program: &str) -> bool {
    let is_dynamic = program.starts_with("ld-") && program.contains(".so") || program == "ld.so";
    is_dynamic || program.starts_with("qemu-") && program.ends_with("-static")
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}
