//! Processes that are gone before anyone can ask about them.

use std::process::{Command, Stdio};
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};
use e2e::{Machine, Observed, Outcome, Recording, Request, built, scratch_dir};

const HZ: u32 = 499;
const LIVES: u32 = 50;
/// CPU time of one of them, in seconds.
const LIFE: f64 = 0.030;
const WHOLE: f64 = 0.99;

static BRIEF: LazyLock<Result<Outcome, String>> = LazyLock::new(|| {
    record(|| {
        let program = built("brief")?;
        (0..LIVES)
            .try_for_each(|_| run(Command::new(&program).env("OTEL_SERVICE_NAME", "e2e-brief")))
    })
});

static GZIP_LOOP: LazyLock<Result<Outcome, String>> = LazyLock::new(|| {
    record(|| {
        let dir = scratch_dir()?;
        let file = dir.path().join("text");
        let lines: Vec<String> =
            (0..60_000u32).map(|i| i.wrapping_mul(2_654_435_761).to_string()).collect();
        std::fs::write(&file, lines.join("\n"))?;
        let script = r#"i=0; while [ $i -lt 40 ]; do gzip -c "$1" >/dev/null; i=$((i+1)); done"#;
        let mut command = Command::new("sh");
        command.env("OTEL_SERVICE_NAME", "e2e-gzip").args(["-c", script, "sh"]).arg(&file);
        run(&mut command)
    })
});

static THOUSAND: LazyLock<Result<Outcome, String>> = LazyLock::new(|| {
    record(|| {
        let script = "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done";
        run(Command::new("sh").env("OTEL_SERVICE_NAME", "e2e-thousand").args(["-c", script]))
    })
});

/// Records the whole machine while `work` goes on.
fn record(work: impl FnOnce() -> Result<()>) -> Result<Outcome, String> {
    let scene = || {
        let _machine = Machine::reserve()?;
        built("brief")?;
        let recording = Recording::start(Request::machine(HZ))?;
        work()?;
        recording.finish()
    };
    scene().map_err(|error: anyhow::Error| format!("{error:?}"))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

#[track_caller]
fn outcome(scene: &'static Result<Outcome, String>) -> &'static Outcome {
    match scene {
        Ok(outcome) => outcome,
        Err(error) => panic!("the scene could not be recorded: {error}"),
    }
}

fn brief() -> Observed {
    Observed::of(&outcome(&BRIEF).folded, &["e2e-brief"])
}

#[track_caller]
fn assert_whole(observed: &Observed, fewest: u64) {
    assert!(observed.samples() >= fewest, "only {} samples", observed.samples());
    let examples = observed.examples(|stack| stack.truncated.is_some());
    let (rooted, reasons) = (observed.rooted(), observed.truncations());
    assert!(rooted >= WHOLE, "rooted {rooted:.4}; {reasons:?}:\n{examples}");
}

#[test]
fn processes_that_live_30_ms_are_seen_with_all_their_time() {
    let sampled = brief().samples() as f64 / f64::from(HZ);
    let burned = f64::from(LIVES) * LIFE;
    // They burn their 30 ms and are loaded and taken down besides. So few samples vary by chance.
    assert!((0.8..1.7).contains(&(sampled / burned)), "{sampled:.3} s sampled of {burned:.3} s");
}

#[test]
fn processes_that_live_30_ms_are_whole() {
    assert_whole(&brief(), 500);
}

#[test]
fn processes_that_live_30_ms_are_named() {
    let burning = brief().with("brief_burn");
    assert!(burning.samples() * 10 >= brief().samples() * 8, "{}", brief().examples(|_| true));
    let right = burning.count(|stack| stack.has_in_order(&["main", "brief_life", "brief_burn"]));
    assert!(right as f64 >= WHOLE * burning.samples() as f64, "{}", burning.examples(|_| true));
}

#[test]
fn a_shell_loop_of_gzip_is_whole_and_names_its_module() {
    let observed = Observed::of(&outcome(&GZIP_LOOP).folded, &["e2e-gzip", "gzip"]);
    assert_whole(&observed, 400);
    // Debian's gzip has no symbols: module and offset are its names.
    let compressing =
        observed.count(|stack| stack.frames.iter().any(|frame| frame.0.starts_with("gzip+0x")));
    assert!(compressing * 10 >= observed.samples() * 8, "{}", observed.examples(|_| true));
}

#[test]
fn of_a_thousand_processes_every_sample_is_delivered_or_counted_as_lost() {
    let Outcome { folded, stats, .. } = outcome(&THOUSAND);
    assert!(folded.total() > 0);
    assert_eq!(stats.samples_taken, folded.total() + stats.lost(), "{:?}", stats.samples_lost);
}

#[test]
fn a_thousand_processes_keep_their_service() {
    let observed = Observed::of(&outcome(&THOUSAND).folded, &["e2e-thousand"]);
    let strays = Observed::of(&outcome(&THOUSAND).folded, &["true", "sh"]);
    assert!(observed.samples() >= 100, "only {} samples", observed.samples());
    assert!(strays.samples() * 50 <= observed.samples(), "{} strays", strays.samples());
}
