//! Java's methods in stacks: every virtual machine that is here, by programs that know what they did.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Machine, Recording, Request, Stack, Target, Ways, built, javas, scratch_dir};
use serde_json::Value;

const WAYS: Ways = Ways {
    service: "shares",
    root: "work",
    ways: &[
        ("burnA", &["work", "turn", "throughRecursion", "deep", "deep", "deep", "burnA"]),
        (
            "burnB",
            &["work", "turn", "throughCallback", "sort", "lambda$throughCallback$0", "burnB"],
        ),
        ("burnC", &["work", "turn", "throughInterface", "price", "burnC"]),
        ("burnD", &["work", "turn", "throughException", "burnD"]),
        ("burnE", &["work", "turn", "throughReflection", "invoke", "burnE"]),
    ],
    // What prepares the work, and tells of it, is main.
    is_its: |stack| !stack.is_rooted() || (is_of_java(stack) && !is_of_main(stack)),
};

/// How code is made.
const MODES: [&[&str]; 3] = [&[], &["-Xint"], &["-XX:TieredStopAtLevel=1"]];

/// The machine calls a method. Its other threads compile, and collect.
fn is_of_java(stack: &Stack) -> bool {
    stack.frames.iter().any(|frame| frame.0.starts_with("[StubRoutines"))
}

fn is_of_main(stack: &Stack) -> bool {
    stack.frames.iter().any(|frame| frame.name() == "Shares.main")
}

/// Tries all machines in all modes.
fn for_each(check: impl Fn(Command) -> Result<String>, jar: &str) -> Result<()> {
    let javas = javas()?;
    ensure!(!javas.is_empty(), "no Java is here");
    for java in &javas {
        for mode in MODES {
            let mut command = Command::new(java);
            command.args(mode).arg("-jar").arg(built(jar)?);
            let which = format!("{} {mode:?}", java.display());
            println!("{which}: {}", check(command).context(which.clone())?);
        }
    }
    Ok(())
}

#[test]
fn methods_have_the_shares_that_they_burn_interpreted_and_compiled() -> Result<()> {
    let check = |command| {
        let named = WAYS.check(&WAYS.record(command)?)?;
        Ok(format!("{:.2} % with their methods", named * 100.0))
    };
    for_each(check, "shares.jar")
}

#[test]
fn calls_are_in_the_lines_that_the_machine_says_they_are_in() -> Result<()> {
    for_each(lines, "lines.jar")
}

fn lines(command: Command) -> Result<String> {
    let (dir, _machine) = (scratch_dir()?, Machine::reserve()?);
    let output = dir.path().join("profile.json");
    let mut target = Target::start(command)?;
    // Innermost first: what tells, its caller, and from there on what is looked for.
    let mut told: Vec<String> = target.greeting.split(' ').skip(2).map(str::to_owned).collect();
    told.reverse();
    let request = Request { pids: vec![target.pid()], hz: 499 };
    let mut recording = Recording::start_as(request, "json", &output)?;
    target.release()?;
    recording.go_on_for(Duration::from_secs(3))?;
    recording.interrupt()?;
    recording.ended()?;
    drop(target);
    let (right, all) = compare(&output, &told)?;
    ensure!(all > 200, "{all} samples: starved");
    ensure!(right * 200 >= all * 199, "{right} of {all} samples are as the machine says: {told:?}");
    Ok(format!("{right} of {all} as the machine says"))
}

/// Samples in the leaf, and those of them whose callers are the ones told, outermost first.
fn compare(profile: &Path, told: &[String]) -> Result<(u64, u64)> {
    let profile: Value = serde_json::from_slice(&std::fs::read(profile)?)?;
    let frame = |index: &Value| -> Option<(String, String)> {
        let frame = profile["frames"].get(usize::try_from(index.as_u64()?).ok()?)?;
        let name = frame["name"].as_str().filter(|_| frame["kind"] == "java")?;
        let place = format!("{name}@{}:{}", frame["file"].as_str()?, frame["line"]);
        Some((plain(name), plain(&place)))
    };
    let (mut right, mut all) = (0, 0);
    for sample in profile["samples"].as_array().context("samples")? {
        let stack = &profile["stacks"][sample["stack"].as_u64().context("a stack")? as usize];
        let frames = stack.as_array().context("frames")?.iter();
        let mut frames: Vec<_> = frames.filter_map(frame).collect();
        if frames.pop().is_none_or(|(name, _)| name != "Lines.leaf") {
            continue;
        }
        let value = sample["value"].as_u64().unwrap_or(0);
        all += value;
        let seen = frames.iter().map(|(_, place)| place);
        if seen.eq(told.iter().map(|place| plain(place)).collect::<Vec<_>>().iter()) {
            right += value;
        } else {
            println!("{frames:?}");
        }
    }
    Ok((right, all))
}

/// Without what a class that the machine has made is called besides.
fn plain(name: &str) -> String {
    let Some((class, rest)) = name.split_once("$$Lambda") else { return name.to_owned() };
    let end = rest.find(".applyAsLong").unwrap_or(0);
    format!("{class}$$Lambda{}", &rest[end..])
}
