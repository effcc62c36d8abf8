//! Code made at run time that keeps no frame pointers: who has called it is searched on the stack. It may be a guess, and is
//! never wrong.

use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Result;
use e2e::{
    Folded, Machine, Meter, Need, Observed, Recording, Request, Stack, Supply, Target, built,
};

const HZ: u32 = 499;
/// Processor time that each program is to have.
const ENOUGH: Duration = Duration::from_secs(3);
const WHOLE: f64 = 0.99;
const FEWEST: u64 = 500;

/// Mixed work, of which pcre2's JIT does a part.
const PHP: &str = r#"echo "READY\n"; fgets(STDIN); stream_set_blocking(STDIN, false);
    $t = str_repeat("lorem ipsum 42 dolor ", 2000);
    while (fgets(STDIN) === false && !feof(STDIN)) {
        preg_match_all("/(\w+)\s+(\d+)/", $t, $m); md5($t); usort($m[0], "strcmp");
    }"#;

/// How `tests/programs/c/jit_frameless.c` calls which code.
const WAYS: [(&str, &str); 7] = [
    ("run_number", "jit_number"),
    ("run_pointer", "jit_pointer"),
    ("run_calling", "jit_calling"),
    ("run_number_by_frame", "jit_number"),
    ("run_untouched", "jit_untouched"),
    ("run_calling_by_frame", "jit_calling"),
    ("run_through_jump", "jit_number"),
];

struct Scene {
    folded: Folded,
    supplies: Vec<(&'static str, Supply)>,
}

static SCENE: LazyLock<Result<Scene, String>> =
    LazyLock::new(|| record().map_err(|error| format!("{error:?}")));

fn commands() -> Result<Vec<(&'static str, Command)>> {
    let mut php = Command::new("php");
    php.args(["-r", PHP]);
    let mut qemu = Command::new("qemu-x86_64");
    qemu.arg(built("simple-static")?);
    Ok(vec![("code", Command::new(built("jit-frameless")?)), ("php", php), ("qemu", qemu)])
}

fn service(name: &str) -> String {
    format!("e2e-frameless-{name}")
}

fn record() -> Result<Scene> {
    let _machine = Machine::reserve()?;
    let start = |(name, mut command): (&'static str, Command)| {
        anyhow::Ok((
            name,
            Target::start({
                command.env("OTEL_SERVICE_NAME", service(name));
                command
            })?,
        ))
    };
    let mut targets = commands()?.into_iter().map(start).collect::<Result<Vec<_>>>()?;
    let recording = Recording::start(Request::machine(HZ))?;
    let meters = targets.iter().map(|(_, target)| Meter::start(target.pid()));
    let meters = meters.collect::<Result<Vec<_>>>()?;
    targets.iter_mut().try_for_each(|(_, target)| target.release())?;
    meters.iter().try_for_each(|meter| meter.await_cpu(ENOUGH))?;
    let had = meters.iter().map(Meter::read).collect::<Result<Vec<_>>>()?;
    let supplies = targets.iter().map(|(name, _)| *name).zip(had).collect();
    let folded = recording.finish()?.folded;
    targets.into_iter().try_for_each(|(_, target)| target.stop())?;
    Ok(Scene { folded, supplies })
}

/// The stacks of a program, of which there are enough.
#[track_caller]
fn observed(name: &str) -> Observed {
    let scene = match &*SCENE {
        Ok(scene) => scene,
        Err(error) => panic!("the scene could not be recorded: {error}"),
    };
    let observed = Observed::of(&scene.folded, &[&service(name)]);
    let need = Need { samples: FEWEST, part: 0.8, hz: HZ };
    for (_, supply) in scene.supplies.iter().filter(|(of, _)| *of == name) {
        if let Some(shortage) = supply.shortage(observed.samples(), need) {
            panic!("{name}: {shortage}; of all:\n{}", observed.examples(|_| true));
        }
    }
    observed
}

/// Nearly all reach their thread's entry, and those with code that nothing describes are marked.
#[track_caller]
fn assert_whole(observed: &Observed, is_undescribed: impl Fn(&Stack) -> bool) {
    let (total, cut) = (observed.samples(), observed.count(|stack| stack.truncated.is_some()));
    let examples = observed.examples(|stack| stack.truncated.is_some());
    assert!(cut as f64 <= total as f64 * (1.0 - WHOLE), "{cut} of {total} are cut:\n{examples}");
    let unmarked = observed.only(|stack| is_undescribed(stack) && stack.is_rooted());
    assert!(unmarked.stacks.is_empty(), "not marked:\n{}", unmarked.examples(|_| true));
}

fn is_anonymous(frame: &e2e::Frame) -> bool {
    frame.0.starts_with("[anon]")
}

#[test]
fn code_that_leaves_decoys_has_its_true_callers_alone() {
    let code = observed("code");
    let is_undescribed = |stack: &Stack| stack.frames.iter().any(|f| f.0.starts_with("jit_"));
    assert_whole(&code, is_undescribed);
    let within = code.only(is_undescribed);
    for (caller, made) in WAYS {
        let way = within.only(|stack| stack.has(caller));
        assert!(way.samples() > FEWEST / 20, "{caller}: {} samples", way.samples());
        let wrong = way.only(|stack| !is_way(stack, caller, made));
        assert!(wrong.stacks.is_empty(), "{caller}:\n{}", wrong.examples(|_| true));
    }
    let whole = within.only(|stack| stack.truncated.is_none());
    let wrong = whole.only(|stack| !WAYS.iter().any(|(caller, _)| stack.has(caller)));
    assert!(wrong.stacks.is_empty(), "of no way:\n{}", wrong.examples(|_| true));
}

/// Nothing is between main, the caller and what was made; above that only what was called back, and the kernel.
fn is_way(stack: &Stack, caller: &str, made: &str) -> bool {
    let user: Vec<_> = stack.frames.iter().filter(|frame| !frame.is_kernel()).collect();
    let main = user.iter().position(|frame| frame.is("main"));
    let above = main.map_or(&[][..], |main| &user[main + 1..]);
    match above {
        [by, code] => by.is(caller) && code.is(made),
        [by, code, back] => by.is(caller) && code.is(made) && back.is("burn_under_jit"),
        _ => false,
    }
}

#[test]
fn pcre2_s_code_has_php_s_functions_as_callers() {
    let php = observed("php");
    let matches = |stack: &Stack| stack.frames.iter().any(is_anonymous);
    assert_whole(&php, matches);
    let matching = php.only(|stack| matches(stack) && stack.truncated.is_none());
    assert!(matching.samples() > FEWEST / 20, "{} samples", matching.samples());
    let is_right = |stack: &Stack| {
        let code = stack.frames.iter().position(is_anonymous).unwrap_or(0);
        code > 0
            && stack.frames[code - 1].is("pcre2_jit_match_8")
            && stack.has_in_order(&["_start", "execute_ex", "php_pcre_match_impl"])
    };
    let wrong = matching.only(|stack| !is_right(stack));
    assert!(wrong.stacks.is_empty(), "{}", wrong.examples(|_| true));
}

#[test]
fn translated_code_has_the_emulator_as_its_caller() {
    let qemu = observed("qemu");
    let translated = |stack: &Stack| stack.frames.iter().any(is_anonymous);
    assert_whole(&qemu, translated);
    let translated = qemu.only(|stack| translated(stack) && stack.truncated.is_none());
    assert!(translated.samples() > FEWEST / 2, "{} samples", translated.samples());
    let wrong =
        translated.only(|stack| !stack.has_in_order(&["_start", "main", "cpu_loop", "cpu_exec"]));
    assert!(wrong.stacks.is_empty(), "{}", wrong.examples(|_| true));
}
