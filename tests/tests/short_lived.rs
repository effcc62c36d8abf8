//! Processes that are gone before anyone can ask about them.

use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{
    Machine, Need, Observed, Outcome, Recording, Request, Supply, built, ended_children_cpu_ns,
    scratch_dir,
};

const HZ: u32 = 499;
const LIVES: u32 = 50;
/// CPU time of one of them, in seconds.
const LIFE: f64 = 0.030;
const WHOLE: f64 = 0.99;

struct Scene {
    outcome: Outcome,
    /// What the processes had together.
    supply: Supply,
}

static BRIEF: LazyLock<Result<Scene, String>> = LazyLock::new(|| {
    record(|| {
        let program = built("brief")?;
        (0..LIVES)
            .try_for_each(|_| run(Command::new(&program).env("OTEL_SERVICE_NAME", "e2e-brief")))
    })
});

static BRIEF_GO: LazyLock<Result<Scene, String>> = LazyLock::new(|| {
    record(|| {
        let program = built("go-brief")?;
        (0..20)
            .try_for_each(|_| run(Command::new(&program).env("OTEL_SERVICE_NAME", "e2e-go-brief")))
    })
});

static GZIP_LOOP: LazyLock<Result<Scene, String>> = LazyLock::new(|| {
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

static THOUSAND: LazyLock<Result<Scene, String>> = LazyLock::new(|| {
    record(|| {
        let script = "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done";
        run(Command::new("sh").env("OTEL_SERVICE_NAME", "e2e-thousand").args(["-c", script]))
    })
});

/// Records the whole machine while `work` goes on.
fn record(work: impl FnOnce() -> Result<()>) -> Result<Scene, String> {
    let scene = || {
        let _machine = Machine::reserve()?;
        built("brief")?;
        let recording = Recording::start(Request::machine(HZ))?;
        let (own, since) = (std::process::id(), Instant::now());
        let before_ns = ended_children_cpu_ns(own)?;
        work()?;
        let cpu = Duration::from_nanos(ended_children_cpu_ns(own)? - before_ns);
        let supply = Supply { cpu, wall: since.elapsed() };
        Ok(Scene { outcome: recording.finish()?, supply })
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
fn scene(scene: &'static Result<Scene, String>) -> &'static Scene {
    match scene {
        Ok(scene) => scene,
        Err(error) => panic!("the scene could not be recorded: {error}"),
    }
}

fn brief() -> Observed {
    Observed::of(&scene(&BRIEF).outcome.folded, &["e2e-brief"])
}

/// Fails as starved or as wrong if there are too few samples of the processes of `scene`.
#[track_caller]
fn assert_seen(scene: &Scene, observed: &Observed, samples: u64) {
    if let Some(shortage) =
        scene.supply.shortage(observed.samples(), Need { samples, part: 0.8, hz: HZ })
    {
        panic!("{shortage}");
    }
}

#[track_caller]
fn assert_whole(observed: &Observed) {
    let examples = observed.examples(|stack| !stack.is_rooted());
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
    assert_whole(&brief());
}

#[test]
fn processes_that_live_30_ms_are_named() {
    let burning = brief().with("brief_burn");
    assert!(burning.samples() * 10 >= brief().samples() * 8, "{}", brief().examples(|_| true));
    let right = burning.count(|stack| stack.has_in_order(&["main", "brief_life", "brief_burn"]));
    assert!(right as f64 >= WHOLE * burning.samples() as f64, "{}", burning.examples(|_| true));
}

#[test]
fn of_go_programs_that_live_30_ms_both_stacks_are_seen() {
    let scene = scene(&BRIEF_GO);
    let observed = Observed::of(&scene.outcome.folded, &["e2e-go-brief"]);
    assert_seen(scene, &observed, 150);
    let burning = observed.with("burn_in_c");
    let right = burning.count(|stack| {
        stack.is_rooted() && stack.has_in_order(&["main.main", "main.callC", "burn_in_c"])
    });
    assert!(right as f64 >= WHOLE * burning.samples() as f64, "{}", burning.examples(|_| true));
}

fn gzip() -> Observed {
    Observed::of(&scene(&GZIP_LOOP).outcome.folded, &["e2e-gzip", "gzip"])
}

#[test]
fn a_shell_loop_of_gzip_is_seen() {
    assert_seen(scene(&GZIP_LOOP), &gzip(), 200);
}

#[test]
fn a_shell_loop_of_gzip_is_whole() {
    assert_whole(&gzip());
}

#[test]
fn a_shell_loop_of_gzip_names_its_module() {
    let observed = gzip();
    // Debian's gzip has no symbols: module and offset are its names.
    let compressing =
        observed.count(|stack| stack.frames.iter().any(|frame| frame.0.starts_with("gzip+0x")));
    assert!(compressing * 10 >= observed.samples() * 8, "{}", observed.examples(|_| true));
}

#[test]
fn of_a_thousand_processes_every_sample_is_delivered_or_counted_as_lost() {
    let Outcome { folded, stats, .. } = &scene(&THOUSAND).outcome;
    assert!(folded.total() > 0);
    assert_eq!(stats.samples_taken, folded.total() + stats.lost(), "{:?}", stats.samples_lost);
}

#[test]
fn a_thousand_processes_are_seen() {
    let observed = Observed::of(&scene(&THOUSAND).outcome.folded, &["e2e-thousand"]);
    assert_seen(scene(&THOUSAND), &observed, 100);
}

#[test]
fn a_thousand_processes_keep_their_service() {
    let folded = &scene(&THOUSAND).outcome.folded;
    let observed = Observed::of(folded, &["e2e-thousand"]);
    let strays = Observed::of(folded, &["true", "sh"]);
    assert!(strays.samples() * 50 <= observed.samples(), "{} strays", strays.samples());
}
